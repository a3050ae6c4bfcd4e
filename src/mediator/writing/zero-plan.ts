// What zeros over a range do to a file's blocks: a pure plan. Blocks that the
// range covers become holes; in the one or two where it begins and ends, bytes
// become zeros. No block grows: bytes behind a block's end read as zeros anyway.
import type { BlockRange, BlockReference } from '../../protocol/services/metadata.js';
import type { BlockPlan } from './write-plan.js';

export interface ByteRange {
  offset: number;
  length: number;
}

/** The blocks that the range covers from start to end; none when `first` is not below `end`. */
export function coveredBlocks({ offset, length }: ByteRange, blockSize: number): BlockRange {
  return { first: Math.ceil(offset / blockSize), end: Math.floor((offset + length) / blockSize) };
}

/** The first and the last block that the range touches. */
export function blocksOf({ offset, length }: ByteRange, blockSize: number): [first: number, last: number] {
  return [Math.floor(offset / blockSize), Math.ceil((offset + length) / blockSize) - 1];
}

/** Blocks that the range touches and does not cover, in order. */
export function edgeBlocks(range: ByteRange, blockSize: number): number[] {
  const covered = coveredBlocks(range, blockSize);
  const edges = new Set(blocksOf(range, blockSize));
  return [...edges].filter((index) => index < covered.first || index >= covered.end);
}

/**
 * The plan for a block that the range touches and does not cover; null when nothing of the block is left. Zeros behind a block's
 * end change no byte and are a plan all the same: the commit then fails if another writer has made the block longer.
 */
export function planZeros(
  { offset, length }: ByteRange,
  index: number,
  blockSize: number,
  base: BlockReference | null,
): BlockPlan | null {
  if (base === null) return null;
  const start = index * blockSize;
  const from = Math.min(base.length, Math.max(0, offset - start));
  const to = Math.min(base.length, offset + length - start);
  const unchanged = { index, base, baseLength: base.length, length: base.length, writes: [], whole: false };
  if (from >= to) return unchanged;
  if (to === base.length) return from === 0 ? null : { ...unchanged, baseLength: from, length: from };
  return { ...unchanged, writes: [{ offset: from, data: new Uint8Array(to - from) }] };
}
