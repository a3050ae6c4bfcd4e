// Entries of block maps: putting and dropping them keeps the totals, makes
// garbage of the versions that no map holds any more, and forgets that some
// server lacked them.
import type { BlockReference } from '../../protocol/services/metadata.js';
import type { Draft } from '../state/draft.js';
import { blockKey, garbageKey } from '../state/keys.js';
import { encodeBlock, encodeGarbage, type InodeRow } from '../state/rows.js';
import { forgetMissed } from './missed.js';

/** The map names `next` at its index; `before` is what it named until now. */
export function putBlock(draft: Draft, row: InodeRow, before: BlockReference | undefined, next: BlockReference): void {
  if (before === undefined) {
    row.children++;
    draft.counters.blocks++;
  } else {
    makeGarbage(draft, row, before);
  }
  const grownBytes = next.length - (before?.length ?? 0);
  row.allocatedBytes += grownBytes;
  draft.counters.bytes += grownBytes;
  draft.view.put(blockKey(row.inode, next.index), encodeBlock(next));
}

/** The map has a hole where it named `before`. */
export function dropBlock(draft: Draft, row: InodeRow, before: BlockReference): void {
  makeGarbage(draft, row, before);
  row.children--;
  row.allocatedBytes -= before.length;
  draft.counters.blocks--;
  draft.counters.bytes -= before.length;
  draft.view.remove(blockKey(row.inode, before.index));
  forgetMissed(draft, row.inode, before.index);
}

/** Drops at most `limit` entries from index `first` on, up to, not including, `end`. */
export function dropBlocks(
  draft: Draft,
  row: InodeRow,
  first: number,
  limit: number,
  end = Number.POSITIVE_INFINITY,
): void {
  if (row.children === 0) return;
  const blocks = draft.tables.blocks(row.inode, first, end, limit);
  for (const block of blocks) dropBlock(draft, row, block);
}

function makeGarbage(draft: Draft, row: InodeRow, block: BlockReference): void {
  const { counters } = draft;
  const entry = { inode: row.inode, index: block.index, version: block.version };
  draft.view.put(garbageKey(counters.nextGarbage++), encodeGarbage(entry));
  counters.garbage++;
}
