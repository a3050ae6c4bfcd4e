// Reads through overlays, the newest first, down to the storage below them.

import type { Key, Row } from '../../namespace/view.js';
import { Cursor, type Overlay } from './overlay.js';
import type { Storage } from './storage.js';

/** Rows fetched from the storage at a time while a scan merges. */
const SCAN_CHUNK_ROWS = 512;

type Below = Pick<Storage, 'get' | 'scan'>;

export function getThrough(overlays: readonly Overlay[], storage: Below, key: Key): Uint8Array | undefined {
  for (const overlay of overlays) {
    const value = overlay.get(key);
    if (value !== undefined) return value ?? undefined;
  }
  return storage.get(key);
}

/** Rows with from <= key < to in key order, at most `limit` of them. */
export function scanThrough(overlays: readonly Overlay[], storage: Below, from: Key, to: Key, limit: number): Row[] {
  const cursors = overlays.map((overlay) => overlay.cursor(from, to)).filter((cursor) => cursor.key !== undefined);
  if (cursors.length === 0) return storage.scan(from, to, limit);
  cursors.push(new Cursor(rowsOf(storage, from, to, Math.min(limit, SCAN_CHUNK_ROWS))));
  return merge(cursors, limit);
}

function* rowsOf(storage: Below, from: Key, to: Key, chunkRows: number): Generator<[Key, Uint8Array]> {
  for (let start = from; ; ) {
    const chunk = storage.scan(start, to, chunkRows);
    for (const { key, value } of chunk) yield [key, value];
    const last = chunk.at(-1);
    if (last === undefined || chunk.length < chunkRows) return;
    start = `${last.key}\0`;
  }
}

/** Merges sorted cursors. For a key in several, the first cursor counts; a null value is a removed row. */
function merge(cursors: readonly Cursor[], limit: number): Row[] {
  const rows: Row[] = [];
  while (rows.length < limit) {
    let least: Cursor | undefined;
    for (const cursor of cursors) {
      if (cursor.key !== undefined && (least?.key === undefined || cursor.key < least.key)) least = cursor;
    }
    const key = least?.key;
    if (least === undefined || key === undefined) break;
    if (least.value !== null) rows.push({ key, value: least.value });
    for (const cursor of cursors) if (cursor.key === key) cursor.next();
  }
  return rows;
}
