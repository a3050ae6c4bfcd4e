// Bounds maps and sets that are used as caches: both keep the order of insertion.

/** Deletes the entries that were inserted first, until `most` are left. */
export function dropOldest<K>(entries: Map<K, unknown> | Set<K>, most: number): void {
  if (entries.size <= most) return;
  for (const oldest of entries.keys()) {
    entries.delete(oldest);
    if (entries.size <= most) return;
  }
}
