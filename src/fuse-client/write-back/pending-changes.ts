// What of one file is pending: dirty bytes, a truncation, and batches on their
// way; and what the file looks like with all of that. Sends nothing itself.
import type { Attributes } from '../../protocol/services/files.js';
import { assert } from '../../runtime/assert.js';
import { type Batch, BatchesInFlight } from './batches-in-flight.js';
import { DirtyRanges } from './dirty-ranges.js';
import { attributesWithPending, type Overlay } from './overlay.js';
import { UnsentAppends } from './unsent-appends.js';

export class PendingChanges {
  readonly inFlight = new BatchesInFlight();
  readonly #dirty = new DirtyRanges();
  readonly #appends = new UnsentAppends();
  #truncateTo: number | undefined;
  #isTruncatedByOpen = false;
  /** Of the last write that may be pending; null: the times were set after it. */
  #writeTimeNs: bigint | null = null;

  #stored: Attributes;
  readonly #appendsMoved: () => void;

  /** @param appendsMoved called when unsent appended bytes were moved behind those of others */
  constructor(stored: Attributes, appendsMoved: () => void) {
    this.#stored = stored;
    this.#appendsMoved = appendsMoved;
  }

  get isEmpty(): boolean {
    return !this.isUnsent && this.inFlight.isEmpty;
  }

  get isUnsent(): boolean {
    return !this.#dirty.isEmpty || this.#truncateTo !== undefined;
  }

  get isOnlyTruncatedByOpen(): boolean {
    return this.#isTruncatedByOpen && this.#dirty.isEmpty && this.inFlight.isEmpty;
  }

  get dirtyBytes(): number {
    return this.#dirty.bytes;
  }

  /** Where the last dirty byte ends; 0 when there is none. */
  get dirtyEnd(): number {
    return this.#dirty.end;
  }

  get blockSizeBytes(): number {
    return this.#stored.blockSizeBytes;
  }

  /** Where the last pending write ends. */
  get end(): number {
    return Math.max(this.#dirty.end, this.inFlight.end);
  }

  /** The newest stored attributes, as they will be once everything pending is stored. */
  get attributes(): Attributes {
    if (this.isEmpty) return this.#stored;
    return attributesWithPending(this.#stored, { cutAt: this.#cutAt, end: this.end }, this.#writeTimeNs);
  }

  overlay(from: number, to: number): Overlay {
    const extents = this.inFlight.within(from, to);
    extents.push(...this.#dirty.within(from, to));
    return { cutAt: this.#cutAt, extents, end: this.end };
  }

  /** Attributes that the service answered; older ones than are known are ignored. */
  learn(fetched: Attributes): void {
    if (fetched.revision < this.#stored.revision) return;
    if (this.#isTimeOfOthers(fetched)) this.#writeTimeNs = null;
    this.#stored = fetched;
    this.followAppends();
  }

  /** Takes the attributes that come next, whatever their revision. */
  forgetRevision(): void {
    this.#stored = { ...this.#stored, revision: 0 };
  }

  /** The modification time of what is pending; null: it was set after the last write. */
  get writeTimeNs(): bigint | null {
    return this.#writeTimeNs;
  }

  /** Something was written or cut at that time; null: the modification time is set. */
  touch(timeNs: bigint | null): void {
    this.#writeTimeNs = timeNs;
  }

  write(offset: number, data: Uint8Array): void {
    this.#dirty.lay(offset, data);
    this.#isTruncatedByOpen = false;
  }

  noteAppend(sizeBytes: number): void {
    this.#appends.add(sizeBytes, this.#truncateTo !== undefined);
  }

  truncate(sizeBytes: number, reason: 'open' | 'request'): void {
    assert(this.inFlight.truncateTo === undefined, 'a file is cut while a batch that cuts it is on its way');
    this.#dirty.cutAt(sizeBytes);
    this.#appends.cutAt(sizeBytes);
    if (sizeBytes < this.#stored.sizeBytes) {
      this.#truncateTo = Math.min(sizeBytes, this.#truncateTo ?? sizeBytes);
      this.#isTruncatedByOpen = reason === 'open';
    }
    // The new end lies in a hole between stored and cut bytes: its last byte, a zero, carries it.
    if (this.#sizeBytes < sizeBytes) this.#dirty.lay(sizeBytes - 1, new Uint8Array(1));
  }

  /** Moves unsent appended bytes behind those that others have appended. */
  followAppends(): void {
    const appendedFrom = this.#appends.from;
    const { sizeBytes } = this.#stored;
    if (appendedFrom === undefined || sizeBytes <= appendedFrom) return;
    // Until a cut is stored, the size may be the one before it.
    if (this.#cutAt !== undefined) return;
    this.#dirty.moveTail(appendedFrom, sizeBytes);
    this.#appends.moveTo(sizeBytes);
    this.#appendsMoved();
  }

  /** Where a batch of about `batchBytes` ends: at a multiple of it, or between two appends. */
  batchEnd(batchBytes: number): number {
    const { start } = this.#dirty;
    const end = this.#dirty.offsetAfter(batchBytes);
    const aligned = end - (end % batchBytes);
    return this.#appends.batchEnd(start, aligned > start ? aligned : end, end);
  }

  /** Takes the dirty bytes up to `end` into a batch that is on its way; undefined when it must wait for another. */
  startBatch(end: number): Batch | undefined {
    const { start } = this.#dirty;
    const { blockSizeBytes } = this;
    const from = Math.floor(start / blockSizeBytes) * blockSizeBytes;
    const to = Math.ceil(end / blockSizeBytes) * blockSizeBytes;
    const truncateTo = this.#truncateTo;
    const appendedFrom = this.#appends.from;
    const isAppended = appendedFrom !== undefined && appendedFrom <= start;
    if (this.inFlight.mustWait(from, to, isAppended, truncateTo !== undefined)) return undefined;

    const before = this.#dirty.bytes;
    const extents = this.#dirty.takeUpTo(end);
    this.#truncateTo = undefined;
    this.#isTruncatedByOpen = false;
    this.#appends.sentUpTo(end, this.#dirty.isEmpty);
    const batch: Batch = {
      extents,
      bytes: before - this.#dirty.bytes,
      truncateTo,
      appendedFrom,
      from,
      to,
      writeTimeNs: this.#writeTimeNs,
      settled: Promise.resolve(),
    };
    this.inFlight.add(batch);
    return batch;
  }

  /** Drops what is not on its way. */
  dropUnsent(): void {
    this.#dirty.clear();
    this.#appends.clear();
    this.#truncateTo = undefined;
    this.#isTruncatedByOpen = false;
  }

  /** Whether others have set the modification time, or written, after the last write that is pending here. */
  #isTimeOfOthers({ modifyTimeNs, changeTimeNs }: Attributes): boolean {
    const writeTimeNs = this.#writeTimeNs;
    if (writeTimeNs === null || changeTimeNs <= writeTimeNs || modifyTimeNs === this.#stored.modifyTimeNs) return false;
    return !this.isEmpty && !this.inFlight.hasWriteTime(modifyTimeNs);
  }

  get #cutAt(): number | undefined {
    return this.#truncateTo ?? this.inFlight.truncateTo;
  }

  get #sizeBytes(): number {
    return attributesWithPending(this.#stored, { cutAt: this.#cutAt, end: this.end }, this.#writeTimeNs).sizeBytes;
  }
}
