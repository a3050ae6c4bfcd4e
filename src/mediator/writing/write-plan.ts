// What a write does to each block it touches: a pure plan. A block that is
// covered from its start to its new end is put whole, any other part is a
// patch upon the version that is there.
import type { Extent, PutItem, Version } from '../../protocol/services/blocks.js';
import type { BlockReference } from '../../protocol/services/metadata.js';

export interface WriteRequest {
  extents: readonly Extent[];
  /** The file is cut here first; null: it is not cut. */
  truncateTo: number | null;
}

/** One block's new content. */
export interface BlockPlan {
  index: number;
  base: BlockReference | null;
  /** Bytes of the base that survive the cut. */
  baseLength: number;
  length: number;
  /** Offsets within the block, in order of writing. */
  writes: Extent[];
  /** The writes cover the block from its start to its new end, or there is nothing below them. */
  whole: boolean;
}

/**
 * The blocks whose content changes, in order: those written, each with the extents that touch it, and the one that a cut goes
 * through. One pass over the extents: there may be as many of them as blocks, and tens of thousands of both.
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
 * The plan for one touched block; null when there is none and there will be none (a cut through a hole). A cut beyond the end
 * of a block is a plan too, though no byte changes: the commit then fails if another writer has made the block longer.
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

/** The block's bytes: the writes laid over `base` (its surviving bytes; zeros where there are none). */
export function renderBlock(plan: BlockPlan, base: Uint8Array): Uint8Array {
  const only = plan.writes.length === 1 ? plan.writes[0] : undefined;
  if (only !== undefined && only.offset === 0 && only.data.length === plan.length) return only.data;
  const block = new Uint8Array(plan.length);
  block.set(base.subarray(0, Math.min(plan.baseLength, plan.length)));
  for (const { offset, data } of plan.writes) block.set(data, offset);
  return block;
}

/** The message to a replica that has the base. */
export function putItem(plan: BlockPlan, inode: number, version: Version, rendered: Uint8Array | null): PutItem {
  const { index, base, length } = plan;
  if (rendered !== null || base === null) return { inode, index, version, data: rendered ?? new Uint8Array(0) };
  // A cut below the base's end and a later extension both read as zeros beyond the surviving bytes.
  const cut = zeroFill(plan);
  const writes = cut === null ? plan.writes : [cut, ...plan.writes];
  return { inode, index, version, base: base.version, baseHash: base.hash, length, writes };
}

/** Zeros over what a cut removed and a later write extended past; null when there is no such part. */
function zeroFill(plan: BlockPlan): Extent | null {
  if (plan.base === null) return null;
  const end = Math.min(plan.base.length, plan.length);
  if (plan.baseLength >= end) return null;
  return { offset: plan.baseLength, data: new Uint8Array(end - plan.baseLength) };
}
