// One write to a file, and what of the file it touches: pure functions.
import type { Extent } from '../../protocol/services/blocks.js';
import type { BlockRange } from '../../protocol/services/metadata.js';
import type { Attempt } from '../../protocol/values/request-ids.js';
import { touchedBlocks } from './write-plan.js';
import { type ByteRange, blocksOf, coveredBlocks, edgeBlocks } from './zero-plan.js';

export interface FileWrite extends Attempt {
  inode: number;
  extents: readonly Extent[];
  /** The file is truncated or extended to this size first; null: it is not. */
  truncateTo: number | null;
  /** Reads as zeros afterwards; only without extents and truncation. */
  zeros?: ByteRange;
  /** The file is at least as long afterwards. */
  minimumSizeBytes?: number;
  /** When the write was made; null: before the times that the file has, which stay. */
  modifyTimeNs: bigint | null;
}

export interface WriteScope {
  blockSize: number;
  /** The blocks whose content may change, in order, each with the extents that touch it. */
  touched: ReadonlyMap<number, readonly Extent[]>;
  /** The blocks to lock, first to last; Infinity: all that follow. */
  first: number;
  last: number;
  /** Blocks that become a hole. */
  hole: BlockRange | undefined;
  /** The file is at least as long afterwards. */
  minimumSizeBytes: number;
}

export function scopeOf(write: FileWrite, blockSize: number): WriteScope {
  const { extents, truncateTo, zeros } = write;
  let minimumSizeBytes = write.minimumSizeBytes ?? 0;
  for (const { offset, data } of extents) {
    if (data.length > 0) minimumSizeBytes = Math.max(minimumSizeBytes, offset + data.length);
  }
  if (zeros !== undefined) {
    const [first, last] = blocksOf(zeros, blockSize);
    const touched = new Map<number, readonly Extent[]>();
    for (const index of edgeBlocks(zeros, blockSize)) touched.set(index, []);
    return { blockSize, touched, first, last, hole: coveredBlocks(zeros, blockSize), minimumSizeBytes };
  }
  const touched = touchedBlocks(write, blockSize);
  // A truncation changes the size, so it locks the whole file.
  if (truncateTo !== null) {
    return { blockSize, touched, first: 0, last: Number.POSITIVE_INFINITY, hole: undefined, minimumSizeBytes };
  }
  let first = Number.POSITIVE_INFINITY;
  let last = Number.POSITIVE_INFINITY;
  for (const index of touched.keys()) {
    if (first === Number.POSITIVE_INFINITY) first = index;
    last = index;
  }
  return { blockSize, touched, first, last, hole: undefined, minimumSizeBytes };
}
