// Changes of block maps. Each keeps the totals, adds versions that no map names
// any more to the garbage, and drops notes that a server lacks them.
import { FileError } from '../protocol/errors.js';
import type { BlockRange, BlockReference, Commands } from '../protocol/services/metadata.js';
import { addGarbage } from './garbage.js';
import { forgetMissed } from './missed.js';
import { encodeBlock } from './state/block-rows.js';
import type { Draft } from './state/draft.js';
import type { InodeRow } from './state/inode-row.js';
import { blockKey } from './state/keys.js';

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

/** Drops at most `limit` entries of the range, the first ones. @returns how many */
export function dropBlocks(draft: Draft, row: InodeRow, { first, end }: BlockRange, limit: number): number {
  if (row.children === 0 || first >= end) return 0;
  const blocks = draft.tables.blocks(row.inode, first, end, limit);
  for (const block of blocks) dropBlock(draft, row, block);
  return blocks.length;
}

/** How many entries a truncation and a hole drop, counted up to `limit`; those in both count twice. */
export function countDropped(
  draft: Draft,
  row: InodeRow,
  { truncateTo, hole }: Pick<Commands['commit']['request'], 'truncateTo' | 'hole'>,
  limit: number,
): number {
  const count = ({ first, end }: BlockRange, most: number) =>
    first >= end || most <= 0 ? 0 : draft.tables.blocks(row.inode, first, end, most).length;
  if (row.children === 0) return 0;
  const cut = truncateTo === null ? 0 : count(behind(row, truncateTo), limit);
  return cut + (hole === undefined ? 0 : count(hole, limit - cut));
}

/** The blocks that a truncation drops. That in which the new size lies is not among them. */
export function behind(row: InodeRow, sizeBytes: number): BlockRange {
  return { first: Math.ceil(sizeBytes / row.blockSizeBytes), end: Number.POSITIVE_INFINITY };
}

/** Fails with ENOENT, EISDIR, or EINVAL when the inode has no content. */
export function expectFile(draft: Draft, inode: number): InodeRow {
  const row = draft.inode(inode);
  if (row.kind === 'directory') throw new FileError('EISDIR', `inode ${row.inode} is a directory`);
  if (row.kind !== 'file') throw new FileError('EINVAL', `inode ${row.inode} has no content: it is a ${row.kind}`);
  return row;
}
