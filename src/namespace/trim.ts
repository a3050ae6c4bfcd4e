// The command trim: drops what a truncation or a hole is about to drop, a
// bounded number of blocks at a time, so that no command is as large as a file.
// A truncation goes from the end of the file downwards: a crash in between
// leaves a shorter file, whole up to its size.
import type { BlockReference, Commands } from '../protocol/services/metadata.js';
import { countDropped, dropBlock, dropBlocks, expectFile } from './block-map.js';
import { DROPPED_BLOCKS } from './limits.js';
import type { Draft } from './state/draft.js';
import { attributesOf, type InodeRow } from './state/inode-row.js';
import type { Tables } from './state/tables.js';

export function trim(draft: Draft, request: Commands['trim']['request']): Commands['trim']['result'] {
  const row = expectFile(draft, request.inode);
  // A step that comes twice, or late, must not drop what others have written since.
  if (row.revision === request.revision) step(draft, row, request);
  return { attributes: attributesOf(row), done: countDropped(draft, row, request, 1) === 0 };
}

function step(draft: Draft, row: InodeRow, request: Commands['trim']['request']): void {
  const { truncateTo, hole, modifyTimeNs } = request;
  const { sizeBytes } = row;
  let left = DROPPED_BLOCKS;
  if (truncateTo !== null) left -= shorten(draft, row, truncateTo, left);
  if (hole !== undefined) left -= dropBlocks(draft, row, hole, left);
  if (left < DROPPED_BLOCKS || row.sizeBytes < sizeBytes) draft.write(row, modifyTimeNs);
}

/** Drops at most `limit` blocks, the last ones, and lowers the size to where they began. @returns how many it has dropped */
function shorten(draft: Draft, row: InodeRow, truncateTo: number, limit: number): number {
  const first = Math.ceil(truncateTo / row.blockSizeBytes);
  const end = Math.max(first, Math.ceil(row.sizeBytes / row.blockSizeBytes));
  // There may be entries behind the size, put by an earlier commit.
  const behind = dropBlocks(draft, row, { first: end, end: Number.POSITIVE_INFINITY }, limit);
  if (behind === limit) return limit;
  const { blocks, from } = lastBlocks(draft.tables, row.inode, { first, end }, limit - behind);
  for (const block of blocks) dropBlock(draft, row, block);
  row.sizeBytes = Math.min(row.sizeBytes, from * row.blockSizeBytes);
  return behind + blocks.length;
}

/**
 * At most `limit` entries at the end of a range: all those from index `from` on. Rows can only be listed forwards, so it goes down
 * by steps, each twice as long as the last, as long as what it finds is within the limit. Where the range has any, there are
 * some, or `from` is below its end.
 */
function lastBlocks(
  tables: Tables,
  inode: number,
  { first, end }: { first: number; end: number },
  limit: number,
): { blocks: BlockReference[]; from: number } {
  const blocks: BlockReference[] = [];
  let from = end;
  for (let length = limit; from > first; length *= 2) {
    const lower = Math.max(first, from - length);
    const room = limit - blocks.length;
    const found = tables.blocks(inode, lower, from, room + 1);
    if (found.length > room) break;
    blocks.push(...found);
    from = lower;
  }
  return { blocks, from };
}
