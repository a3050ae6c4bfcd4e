// Which servers lack which blocks: a row per server and block, removed when the
// server has caught up or the version is superseded. While no server lacks
// anything, commits do nothing here.
import type { Version } from '../protocol/services/blocks.js';
import { DROPPED_BLOCKS } from './limits.js';
import type { Draft } from './state/draft.js';
import { missedKey, missedRange, missingKey, textFromKey, wholeTable } from './state/keys.js';
import { decodeNumbers, encodeNumbers } from './state/numbers.js';

/** The block has a new version, which the `missing` servers lack and all others have. */
export function setMissed(
  draft: Draft,
  inode: number,
  index: number,
  version: Version,
  missing: readonly string[],
): void {
  for (const server of serversThatLack(draft)) {
    if (!missing.includes(server)) forget(draft, server, inode, index);
  }
  for (const server of missing) {
    const key = missedKey(server, inode, index);
    if (draft.view.get(key) === undefined) changeCount(draft, server, 1);
    draft.view.put(key, encodeNumbers([version]));
  }
}

/** The block map has no such block any more: no server lacks it. */
export function forgetMissed(draft: Draft, inode: number, index: number): void {
  for (const server of serversThatLack(draft)) forget(draft, server, inode, index);
}

/** The server has this version now. If the row is about a newer one, it stays. */
export function forgetVersion(draft: Draft, server: string, inode: number, index: number, version: Version): void {
  const value = draft.view.get(missedKey(server, inode, index));
  if (value !== undefined && decodeNumbers(value, 1)[0] === version) forget(draft, server, inode, index);
}

/**
 * The server has another store: rows about the old one mean nothing. Drops the first of them. What is left does no harm: the
 * server is rebuilt, and then found to have caught up on these.
 */
export function forgetServer(draft: Draft, server: string): void {
  const { from, to } = missedRange(server);
  const rows = draft.view.scan(from, to, DROPPED_BLOCKS);
  for (const { key } of rows) draft.view.remove(key);
  if (rows.length > 0) changeCount(draft, server, -rows.length);
}

function forget(draft: Draft, server: string, inode: number, index: number): void {
  const key = missedKey(server, inode, index);
  if (draft.view.get(key) === undefined) return;
  draft.view.remove(key);
  changeCount(draft, server, -1);
}

/** For each server that lacks blocks, the table `missing` holds how many. */
function changeCount(draft: Draft, server: string, by: number): void {
  draft.counters.missed += by;
  const key = missingKey(server);
  const value = draft.view.get(key);
  const count = (value === undefined ? 0 : (decodeNumbers(value, 1)[0] ?? 0)) + by;
  if (count === 0) draft.view.remove(key);
  else draft.view.put(key, encodeNumbers([count]));
}

function serversThatLack(draft: Draft): string[] {
  if (draft.counters.missed === 0) return [];
  const { from, to } = wholeTable('missing');
  return draft.view.scan(from, to, Number.POSITIVE_INFINITY).map(({ key }) => textFromKey(key));
}
