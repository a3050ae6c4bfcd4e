// The versions of blocks as lists in the order of their numbers, and a cache
// of those lists: blocks that were written just now are written again soon, and
// their old versions deleted.
import type { BlockKey } from '../../protocol/services/blocks.js';
import { RecentMap } from '../../runtime/recent-map.js';
import { keyOfVersion } from '../format/keys.js';
import { decodeRow, type VersionRow } from '../format/version-row.js';
import type { IndexRow } from './index-store.js';

const MAXIMUM_CACHED_BLOCKS = 256;

export interface CatalogEntry {
  key: BlockKey;
  row: VersionRow;
}

/** A version that was put, or removed (row null), since the index was saved. */
export interface Change {
  key: BlockKey;
  row: VersionRow | null;
  /** The index may hold a row of that key. */
  isInIndex: boolean;
}

/** Of some blocks, all versions that are in the index. */
export class VersionsCache {
  readonly #entries = new RecentMap<string, readonly CatalogEntry[]>(MAXIMUM_CACHED_BLOCKS);

  clear(): void {
    this.#entries.clear();
  }

  /** Counts as a use of the block. */
  get(block: string): readonly CatalogEntry[] | undefined {
    return this.#entries.get(block);
  }

  /** Keeps the block as the most recently used one. */
  keep(block: string, entries: readonly CatalogEntry[]): void {
    this.#entries.set(block, entries);
  }

  /** These changes have come into the index. */
  update(block: string, changes: ReadonlyMap<number, Change>): void {
    const before = this.#entries.get(block);
    if (before !== undefined) this.#entries.set(block, withChanges(before, changes));
  }
}

export function withChanges(entries: readonly CatalogEntry[], changes: ReadonlyMap<number, Change>): CatalogEntry[] {
  const after = entries.filter(({ key }) => !changes.has(key.version));
  for (const { key, row } of changes.values()) if (row !== null) after.push({ key, row });
  return inOrder(after);
}

export function decodeEntries(rows: readonly IndexRow[]): CatalogEntry[] {
  const entries: CatalogEntry[] = [];
  for (const { key, value } of rows) {
    const row = decodeRow(value);
    if (row !== undefined) entries.push({ key: keyOfVersion(key), row });
  }
  return entries;
}

/** Sorts only when it must: the version that was put last is mostly the newest. */
function inOrder(entries: CatalogEntry[]): CatalogEntry[] {
  let last = Number.NEGATIVE_INFINITY;
  for (const { key } of entries) {
    if (key.version < last) return entries.sort((one, other) => one.key.version - other.key.version);
    last = key.version;
  }
  return entries;
}
