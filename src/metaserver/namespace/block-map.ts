// Changes of block maps. Each keeps the totals, adds versions that no map names
// any more to the garbage, and drops notes that a server lacks them.
import type { BlockReference } from '../../protocol/services/metadata.js';
import { encodeBlock } from '../state/block-rows.js';
import type { Draft } from '../state/draft.js';
import type { InodeRow } from '../state/inode-row.js';
import { blockKey } from '../state/keys.js';
import { addGarbage } from './garbage.js';
import { forgetMissed } from './missed.js';

/** Puts `next` into the map; `before` is what the map has at its index now. */
export function putBlock(draft: Draft, row: InodeRow, before: BlockReference | undefined, next: BlockReference): void {
  if (before === undefined) {
    row.children++;
    draft.counters.blocks++;
  } else {
    addGarbage(draft, row.inode, before);
  }
  const grownBytes = next.length - (before?.length ?? 0);
  row.allocatedBytes += grownBytes;
  draft.counters.bytes += grownBytes;
  draft.view.put(blockKey(row.inode, next.index), encodeBlock(next));
}

/** Takes `before` out of the map, which leaves a hole. */
export function dropBlock(draft: Draft, row: InodeRow, before: BlockReference): void {
  addGarbage(draft, row.inode, before);
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
