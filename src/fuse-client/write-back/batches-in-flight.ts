// The batches of one file that are on their way to the mediator. Two that touch
// the same blocks go one after the other, all others side by side.
import type { Extent } from '../../protocol/services/blocks.js';

const MOST_IN_FLIGHT = 4;

export interface Batch {
  /** None for a change that is no write, such as fallocate. */
  extents: Extent[];
  bytes: number;
  truncateTo: number | undefined;
  /** Extents from here on were appended. */
  appendedFrom: number | undefined;
  /** The blocks that it touches, as a byte range. */
  from: number;
  to: number;
  writeTimeNs: bigint | null;
  /** Never rejects. */
  settled: Promise<void>;
}

export class BatchesInFlight {
  /** The oldest first. */
  #batches: Batch[] = [];

  get isEmpty(): boolean {
    return this.#batches.length === 0;
  }

  /** Where a batch cuts the file: one that does is on its way alone. */
  get truncateTo(): number | undefined {
    for (const { truncateTo } of this.#batches) if (truncateTo !== undefined) return truncateTo;
    return undefined;
  }

  /** Where the last of all bytes ends; 0 when there are none. */
  get end(): number {
    let end = 0;
    for (const batch of this.#batches)
      for (const { offset, data } of batch.extents) end = Math.max(end, offset + data.length);
    return end;
  }

  /** The extents that touch [from, to), the oldest first. */
  within(from: number, to: number): Extent[] {
    const found: Extent[] = [];
    for (const { extents } of this.#batches) {
      for (const extent of extents) {
        if (extent.offset < to && extent.offset + extent.data.length > from) found.push(extent);
      }
    }
    return found;
  }

  hasWriteTime(timeNs: bigint): boolean {
    return this.#batches.some(({ writeTimeNs }) => writeTimeNs === timeNs);
  }

  /** Whether a batch over the blocks of [from, to) has to wait for one that is on its way. */
  mustWait(from: number, to: number, isAppended: boolean, truncates: boolean): boolean {
    if (this.#batches.length >= MOST_IN_FLIGHT) return true;
    if (truncates && this.#batches.length > 0) return true;
    for (const batch of this.#batches) {
      if (batch.truncateTo !== undefined) return true;
      // The mediator puts appended bytes behind those of the append before, also within a block.
      if (isAppended && batch.appendedFrom !== undefined) continue;
      if (batch.from < to && from < batch.to) return true;
    }
    return false;
  }

  add(batch: Batch): void {
    this.#batches.push(batch);
  }

  remove(batch: Batch): void {
    this.#batches = this.#batches.filter((other) => other !== batch);
  }

  /** Resolves when at least one batch that is on its way now has settled. */
  async settleOne(): Promise<void> {
    await Promise.race(this.#batches.map((batch) => batch.settled));
  }
}
