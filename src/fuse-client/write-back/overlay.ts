// What a reader sees of a file whose newest bytes are not stored yet: the stored
// bytes up to a pending truncation, with pending writes on top. Pure.
import type { Extent } from '../../protocol/services/blocks.js';
import type { Attributes } from '../../protocol/services/files.js';
import { copyOf, lengthOf, type Pieces } from '../../protocol/values/pieces.js';

export interface Overlay {
  /** Stored bytes from here on no longer count. */
  cutAt: number | undefined;
  /** Pending writes that touch the range in question, oldest first. */
  extents: readonly Extent[];
  /** Where the last pending write of the whole file ends. */
  end: number;
}

/** Whether anything that is pending changes what is stored in the range that was asked for. */
export function touches({ cutAt, extents }: Overlay): boolean {
  return cutAt !== undefined || extents.length > 0;
}

/** True when the pending writes alone answer a read of `length` bytes at `offset`: nothing need be fetched. */
export function covers(overlay: Overlay, offset: number, length: number): boolean {
  let at = offset;
  for (const extent of [...overlay.extents].sort((left, right) => left.offset - right.offset)) {
    if (extent.offset > at) return false;
    at = Math.max(at, extent.offset + extent.data.length);
  }
  return at >= offset + length;
}

/** How many stored bytes of [offset, offset + length) still count. */
export function storedLength(overlay: Overlay, offset: number, length: number): number {
  return overlay.cutAt === undefined ? length : Math.max(0, Math.min(length, overlay.cutAt - offset));
}

/** The bytes of [offset, offset + length), fewer only at the end of the file; `stored` are those that still count. */
export function layOver(overlay: Overlay, stored: Pieces, offset: number, length: number): Pieces {
  const storedBytes = lengthOf(stored);
  const resultLength = Math.max(storedBytes, Math.min(length, overlay.end - offset));
  if (overlay.extents.length === 0 && resultLength === storedBytes) return stored;
  const whole = overlay.extents.length === 1 ? overlay.extents[0] : undefined;
  if (whole !== undefined && whole.offset <= offset && whole.offset + whole.data.length >= offset + resultLength) {
    return [whole.data.subarray(offset - whole.offset, offset - whole.offset + resultLength)];
  }
  const result = copyOf(stored, resultLength);
  for (const extent of overlay.extents) {
    const from = Math.max(extent.offset, offset);
    const to = Math.min(extent.offset + extent.data.length, offset + resultLength);
    if (from < to) result.set(extent.data.subarray(from - extent.offset, to - extent.offset), from - offset);
  }
  return [result];
}

/** The same bytes, with no extent across `offset`. */
export function splitAt(extents: readonly Extent[], offset: number): Extent[] {
  return extents.flatMap((extent) => {
    const before = offset - extent.offset;
    if (before <= 0 || before >= extent.data.length) return [extent];
    return [
      { offset: extent.offset, data: extent.data.subarray(0, before) },
      { offset, data: extent.data.subarray(before) },
    ];
  });
}

/** The attributes once everything pending is stored. `writeTimeNs`: of the last write; null: the stored times are later. */
export function attributesWithPending(
  attributes: Attributes,
  overlay: Pick<Overlay, 'cutAt' | 'end'>,
  writeTimeNs: bigint | null,
): Attributes {
  const kept = overlay.cutAt === undefined ? attributes.sizeBytes : Math.min(attributes.sizeBytes, overlay.cutAt);
  const sizeBytes = Math.max(kept, overlay.end);
  const allocatedBytes = overlay.cutAt === 0 ? overlay.end : Math.max(attributes.allocatedBytes, overlay.end - kept);
  const modifyTimeNs = writeTimeNs ?? attributes.modifyTimeNs;
  // A change of the mode, for example, may have come after the write.
  const changeTimeNs =
    writeTimeNs !== null && writeTimeNs > attributes.changeTimeNs ? writeTimeNs : attributes.changeTimeNs;
  return { ...attributes, sizeBytes, allocatedBytes, modifyTimeNs, changeTimeNs };
}
