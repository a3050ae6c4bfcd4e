// The bytes of one file that were written and not yet sent: ranges in order,
// never overlapping, the newest write on top. Pure. Bytes that were handed out
// (to a reader or to a batch on its way) are never changed afterwards.
import { Buffer } from 'node:buffer';
import type { Extent } from '../../protocol/services/blocks.js';

/** Writes shorter than this are copied together, so that a batch is made of few extents; longer ones keep their own bytes. */
const SMALL_WRITE_BYTES = 64 * 1024;
const GATHER_BYTES = 256 * 1024;

interface Range {
  offset: number;
  data: Uint8Array;
  /** Where short neighbouring writes are copied together: bytes beyond `used` are free. */
  gather?: { bytes: Uint8Array; used: number };
}

export class DirtyRanges {
  #ranges: Range[] = [];
  #total = 0;

  /** Dirty bytes. */
  get bytes(): number {
    return this.#total;
  }

  get isEmpty(): boolean {
    return this.#ranges.length === 0;
  }

  /** Where the first range starts; 0 when there is none. */
  get start(): number {
    return this.#ranges[0]?.offset ?? 0;
  }

  /** Where the last range ends; 0 when there is none. */
  get end(): number {
    const last = this.#ranges.at(-1);
    return last === undefined ? 0 : last.offset + last.data.length;
  }

  /** Adds bytes; they replace older ones at the same place. `data` belongs to this buffer from now on. */
  lay(offset: number, data: Uint8Array): void {
    if (data.length === 0) return;
    this.#removeBetween(offset, offset + data.length);
    this.#total += data.length;
    const index = this.#firstEndingAfter(offset);
    const before = index > 0 ? this.#ranges[index - 1] : undefined;
    if (before !== undefined && gatherOnto(before, offset, data)) return;
    this.#ranges.splice(index, 0, { offset, data });
  }

  /** Drops everything from `sizeBytes` on. */
  cutAt(sizeBytes: number): void {
    this.#removeBetween(sizeBytes, Number.POSITIVE_INFINITY);
  }

  /** Moves all that lies from `from` on to `to`, which is behind it. */
  moveTail(from: number, to: number): void {
    const tail = this.within(from, Number.POSITIVE_INFINITY);
    this.cutAt(from);
    for (const { offset, data } of tail) this.lay(offset - from + to, data);
  }

  /** The parts of the dirty bytes that lie in [from, to), in order, as views. */
  within(from: number, to: number): Extent[] {
    const found: Extent[] = [];
    for (let index = this.#firstEndingAfter(from); index < this.#ranges.length; index++) {
      const range = this.#ranges[index];
      if (range === undefined || range.offset >= to) break;
      found.push(clip(range, from, to));
    }
    return found;
  }

  /** Takes out the ranges from the front, up to file offset `to`. */
  takeUpTo(to: number): Extent[] {
    const taken = this.within(0, to);
    this.#removeBetween(0, to);
    return taken;
  }

  /** The file offset up to which the first `count` dirty bytes go. */
  offsetAfter(count: number): number {
    let left = count;
    for (const { offset, data } of this.#ranges) {
      if (left <= data.length) return offset + left;
      left -= data.length;
    }
    return this.end;
  }

  clear(): void {
    this.#ranges = [];
    this.#total = 0;
  }

  /** Index of the first range that ends after `offset`. */
  #firstEndingAfter(offset: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const range = this.#ranges[middle];
      if (range !== undefined && range.offset + range.data.length > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #removeBetween(from: number, to: number): void {
    const first = this.#firstEndingAfter(from);
    let last = first;
    const kept: Range[] = [];
    for (; last < this.#ranges.length; last++) {
      const range = this.#ranges[last];
      if (range === undefined || range.offset >= to) break;
      const end = range.offset + range.data.length;
      this.#total -= Math.min(end, to) - Math.max(range.offset, from);
      if (range.offset < from) kept.push(clip(range, range.offset, from));
      if (end > to) kept.push(clip(range, to, end));
    }
    if (last > first) this.#ranges.splice(first, last - first, ...kept);
  }
}

/** Appends a short write to the range that ends where it starts; false when it needs a range of its own. */
function gatherOnto(range: Range, offset: number, data: Uint8Array): boolean {
  if (data.length >= SMALL_WRITE_BYTES || range.offset + range.data.length !== offset) return false;
  if (range.gather === undefined) {
    if (range.data.length + data.length > GATHER_BYTES) return false;
    const bytes = Buffer.allocUnsafeSlow(GATHER_BYTES);
    bytes.set(range.data);
    range.gather = { bytes, used: range.data.length };
  }
  const { gather } = range;
  if (gather.used + data.length > gather.bytes.length) return false;
  gather.bytes.set(data, gather.used);
  gather.used += data.length;
  range.data = gather.bytes.subarray(0, gather.used);
  return true;
}

/** Part of a range, as a view. Nothing is gathered onto it: readers may have the bytes behind it. */
function clip(range: Extent, from: number, to: number): Extent {
  const start = Math.max(range.offset, from);
  const end = Math.min(range.offset + range.data.length, to);
  return { offset: start, data: range.data.subarray(start - range.offset, end - range.offset) };
}
