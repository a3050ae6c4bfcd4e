// What a write does to each block that it touches: a pure plan. A block that the
// writes cover from its start to its new end is put whole; any other is a patch
// on the version that the block map names.
import type { Extent, PutItem, Version } from '../../protocol/services/blocks.js';
import type { BlockReference } from '../../protocol/services/metadata.js';

export interface WriteRequest {
  extents: readonly Extent[];
  /** The file is truncated or extended to this size first; null: it is not. */
  truncateTo: number | null;
}

/** One block's new content. */
export interface BlockPlan {
  index: number;
  base: BlockReference | null;
  /** Bytes of the base that are left after the truncation. */
  baseLength: number;
  length: number;
  /** Offsets within the block, in order of writing. */
  writes: Extent[];
  /** Put whole: the writes cover the block from its start to its new end, or nothing of a base is left. */
  whole: boolean;
}

/**
 * The blocks whose content changes, in order: those written, each with the extents that touch it, and the one that the
 * truncation goes through. One pass over the extents, since both may be tens of thousands.
 */
export function touchedBlocks(request: WriteRequest, blockSize: number): ReadonlyMap<number, readonly Extent[]> {
  const touched = new Map<number, Extent[]>();
  for (const extent of request.extents) {
    const { offset, data } = extent;
    if (data.length === 0) continue;
    const last = Math.floor((offset + data.length - 1) / blockSize);
    for (let index = Math.floor(offset / blockSize); index <= last; index++) {
      const extents = touched.get(index);
      if (extents === undefined) touched.set(index, [extent]);
      else extents.push(extent);
    }
  }
  if (request.truncateTo !== null && request.truncateTo % blockSize !== 0) {
    const index = Math.floor(request.truncateTo / blockSize);
    if (!touched.has(index)) touched.set(index, []);
  }
  return new Map([...touched].sort(([a], [b]) => a - b));
}

/**
 * The plan for one touched block; null when it is a hole and stays one. A truncation behind a block's end changes no byte and
 * is a plan all the same: the commit then fails if another writer has made the block longer.
 */
export function planBlock(
  request: WriteRequest,
  index: number,
  blockSize: number,
  base: BlockReference | null,
): BlockPlan | null {
  const start = index * blockSize;
  const keep = request.truncateTo === null ? blockSize : Math.min(blockSize, Math.max(0, request.truncateTo - start));
  const baseLength = base === null ? 0 : Math.min(base.length, keep);
  const writes: Extent[] = [];
  let length = baseLength;
  for (const { offset, data } of request.extents) {
    const from = Math.max(offset, start);
    const to = Math.min(offset + data.length, start + blockSize);
    if (from >= to) continue;
    writes.push({ offset: from - start, data: data.subarray(from - offset, to - offset) });
    length = Math.max(length, to - start);
  }
  if (writes.length === 0 && base === null) return null;
  return { index, base, baseLength, length, writes, whole: baseLength === 0 || covers(writes, length) };
}

/** Whether the writes together cover 0 … length. */
function covers(writes: readonly Extent[], length: number): boolean {
  const sorted = [...writes].sort((a, b) => a.offset - b.offset);
  let end = 0;
  for (const { offset, data } of sorted) {
    if (offset > end) return false;
    end = Math.max(end, offset + data.length);
  }
  return end >= length;
}

/** The block's new bytes: the writes over what is left of `base`, zeros between them. */
export function renderBlock(plan: BlockPlan, base: Uint8Array): Uint8Array {
  const only = plan.writes.length === 1 ? plan.writes[0] : undefined;
  if (only !== undefined && only.offset === 0 && only.data.length === plan.length) return only.data;
  const block = new Uint8Array(plan.length);
  block.set(base.subarray(0, Math.min(plan.baseLength, plan.length)));
  for (const { offset, data } of plan.writes) block.set(data, offset);
  return block;
}

/** @param rendered the whole new content; null: it is put as a patch */
export function putItem(plan: BlockPlan, inode: number, version: Version, rendered: Uint8Array | null): PutItem {
  const { index, base, length } = plan;
  if (rendered !== null || base === null) return { inode, index, version, data: rendered ?? new Uint8Array(0) };
  // Behind what the truncation left of the base, bytes that no write covers must be zeros.
  const zeros = zeroFill(plan);
  const writes = zeros === null ? plan.writes : [zeros, ...plan.writes];
  return { inode, index, version, base: base.version, baseHash: base.hash, length, writes };
}

/** Zeros over bytes of the base that were truncated and are within the new length; null when there are none. */
function zeroFill(plan: BlockPlan): Extent | null {
  if (plan.base === null) return null;
  const end = Math.min(plan.base.length, plan.length);
  if (plan.baseLength >= end) return null;
  return { offset: plan.baseLength, data: new Uint8Array(end - plan.baseLength) };
}
