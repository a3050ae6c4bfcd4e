// One file's pending state: dirty bytes, a pending truncation, batches on their
// way, and who has it open. Batches that overlap go one after the other, others
// side by side; a truncation travels in one commit with the bytes after it.
// A batch that fails is not tried again: what is pending is dropped, every
// handle open for writing is told once, and what was stored before stays.

import { FileError } from '../../protocol/errors.js';
import type { Extent } from '../../protocol/services/blocks.js';
import type { Attributes, FileService } from '../../protocol/services/files.js';
import type { CallOptions } from '../../protocol/services/service.js';
import type { Timer } from '../../runtime/clock.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { KernelCache } from '../cache/kernel-cache.js';
import { DirtyRanges } from './dirty-ranges.js';
import { LockGuard } from './lock-guard.js';
import type { MemoryBudget } from './memory-budget.js';
import { attributesOver, endOf, type Overlay, splitAt } from './overlay.js';
import { SyncHabit } from './sync-habit.js';
import { type OpenFile, throwUnseenFailure } from './unreported-errors.js';

/** Up to here a file goes out in one commit at close; beyond, batches leave in the background. */
const SINGLE_COMMIT_BYTES = 8 * 1024 * 1024;
/** A background batch: large enough that messages cost little, a multiple of every block size. */
const BATCH_BYTES = 4 * 1024 * 1024;
const BATCHES_IN_FLIGHT = 4;
/** Of the places between appends, one in so many bytes is remembered. */
const APPEND_STEP_BYTES = 64 * 1024;
/** Bytes of a file that stays open are sent after this long at the latest. */
const FLUSH_AFTER_MS = 5000;

export interface WriteBackParts {
  files: FileService;
  runtime: Runtime;
  budget: MemoryBudget;
  kernelCache: KernelCache;
  /** Called with the attributes after each commit. */
  committed(attributes: Attributes): void;
}

interface Batch {
  extents: Extent[];
  bytes: number;
  truncateTo: number | undefined;
  /** Extents from here on were appended. */
  appendedFrom: number | undefined;
  /** The blocks that it touches, as a byte range. */
  from: number;
  to: number;
  writeTimeNs: bigint | null;
  settled: Promise<void>;
}

export class WriteBackFile {
  readonly handles = new Set<OpenFile>();
  readonly guard = new LockGuard();
  /** The last name went while it was open here: its space is given back at the last close. */
  orphaned = false;
  readonly #dirty = new DirtyRanges();
  readonly #habit = new SyncHabit();
  #truncateTo: number | undefined;
  /** Dirty bytes from here on were appended: their place is not certain before they are stored. */
  #appendedFrom: number | undefined;
  /** Where one append ends and the next begins, in order: what others append may come between, but never within one. */
  #appendStarts: number[] = [];
  #truncatedAtOpen = false;
  /** Of the last write that may be pending; null: the times were set after it. */
  #writeTimeNs: bigint | null = null;
  #inFlight: Batch[] = [];
  #streaming = false;
  #timer: Timer | undefined;

  #stored: Attributes;
  readonly #parts: WriteBackParts;

  constructor(
    readonly inode: number,
    stored: Attributes,
    parts: WriteBackParts,
  ) {
    this.#stored = stored;
    this.#parts = parts;
  }

  /** Somebody has it open for writing here. */
  get isWritable(): boolean {
    for (const handle of this.handles) if (handle.writable) return true;
    return false;
  }

  /** Programs may have stored through a mapping of it what the kernel has not sent yet. */
  get isMappable(): boolean {
    for (const handle of this.handles) if (handle.mappable) return true;
    return false;
  }

  get isPending(): boolean {
    return this.isUnsent || this.#inFlight.length > 0;
  }

  get isUnsent(): boolean {
    return !this.#dirty.isEmpty || this.#truncateTo !== undefined;
  }

  /** All that is pending is the truncation of an open with O_TRUNC. */
  get isOnlyTruncatedAtOpen(): boolean {
    return this.#truncatedAtOpen && this.#dirty.isEmpty && this.#inFlight.length === 0;
  }

  /** The newest attributes known, with what is pending. */
  get attributes(): Attributes {
    return this.over(this.#stored);
  }

  /** Attributes that the service answered, with what is pending. Older ones than are known are passed over. */
  over(fetched: Attributes): Attributes {
    this.#learn(fetched);
    if (!this.isPending) return this.#stored;
    return attributesOver(this.#stored, { cutAt: this.#cutAt, end: this.#pendingEnd }, this.#writeTimeNs);
  }

  overlay(from: number, to: number): Overlay {
    const extents: Extent[] = [];
    for (const batch of this.#inFlight) {
      for (const extent of batch.extents) {
        if (extent.offset < to && extent.offset + extent.data.length > from) extents.push(extent);
      }
    }
    extents.push(...this.#dirty.within(from, to));
    return { cutAt: this.#cutAt, extents, end: this.#pendingEnd };
  }

  /** Takes bytes; `data` belongs to the buffer from now on. */
  write(offset: number, data: Uint8Array): void {
    const before = this.#dirty.bytes;
    this.#dirty.lay(offset, data);
    this.#parts.budget.add(this.#dirty.bytes - before);
    this.#touch();
    this.#truncatedAtOpen = false;
    if (this.#dirty.bytes > SINGLE_COMMIT_BYTES) this.#streaming = true;
    if (this.#habit.wrote()) void this.flush();
    else this.#stream();
  }

  /** Takes bytes to where the file ends: here for now, and behind what others have appended by the time they are stored. */
  append(data: Uint8Array): void {
    const { sizeBytes } = this.attributes;
    // Behind a cut that goes with it, the end is certain.
    if (this.#truncateTo === undefined) this.#appendedFrom ??= sizeBytes;
    if (sizeBytes - (this.#appendStarts.at(-1) ?? 0) >= APPEND_STEP_BYTES) this.#appendStarts.push(sizeBytes);
    this.write(sizeBytes, data);
  }

  /** Whatever attributes come next count. */
  forgetRevision(): void {
    this.#stored = { ...this.#stored, revision: 0 };
  }

  /** Cuts the file at `sizeBytes`, no more than its size, when the next batch is stored. */
  async truncate(sizeBytes: number, reason: 'open' | 'request'): Promise<void> {
    const { limits } = this.guard;
    while (this.#inFlight.length > 0) await this.#settleOne();
    limits?.signal.throwIfAborted();
    // Nothing to cut: another mount may have written behind that end by the time this is stored.
    if (sizeBytes >= this.attributes.sizeBytes) return;
    // A cut and what is written after it belong into one commit.
    this.#habit.forget();
    const before = this.#dirty.bytes;
    this.#dirty.cutAt(sizeBytes);
    this.#appendStarts = this.#appendStarts.filter((start) => start <= sizeBytes);
    if (this.#appendedFrom !== undefined && sizeBytes <= this.#appendedFrom) this.#appendedFrom = undefined;
    if (sizeBytes < this.#stored.sizeBytes) {
      this.#truncateTo = Math.min(sizeBytes, this.#truncateTo ?? sizeBytes);
      this.#truncatedAtOpen = reason === 'open';
    }
    // The new end lies in a hole between stored and cut bytes: its last byte, a zero, carries it.
    if (this.#sizeOver(this.#stored) < sizeBytes) this.#dirty.lay(sizeBytes - 1, new Uint8Array(1));
    this.#parts.budget.remove(before - this.#dirty.bytes);
    this.#touch();
  }

  /** `flush` because a program asked for it by fsync. */
  sync(): Promise<void> {
    this.#habit.synced();
    return this.flush();
  }

  /** Resolves when everything that is pending is stored or has failed (then the handles know). Never rejects. */
  async flush(): Promise<void> {
    while (this.isUnsent) {
      const whole = !this.#streaming && this.#dirty.bytes <= SINGLE_COMMIT_BYTES;
      if (!this.#send(whole ? this.#dirty.end : this.#batchEnd())) await this.#settleOne();
    }
    while (this.#inFlight.length > 0) await this.#settleOne();
    this.#streaming = false;
  }

  /**
   * Changes what is stored by something else than a write: when everything that was written before is stored, while
   * writes into the same bytes wait. `work` gets the time of the change.
   * @throws what `handle` has not been told of, without doing the work, or what the work throws
   */
  async change(
    handle: OpenFile,
    { offset, length }: { offset: number; length: number },
    work: (modifyTimeNs: bigint, limits: CallOptions | undefined) => Promise<Attributes>,
  ): Promise<Attributes> {
    while (this.isPending) await this.flush();
    throwUnseenFailure(handle);
    const changeNs = this.#parts.runtime.clock.nowNs();
    this.#writeTimeNs = changeNs;
    const changing = this.guard.run((limits) => work(changeNs, limits));
    const blockSize = this.#stored.blockSizeBytes;
    const batch: Batch = {
      extents: [],
      bytes: 0,
      truncateTo: undefined,
      appendedFrom: undefined,
      from: Math.floor(offset / blockSize) * blockSize,
      to: Math.ceil((offset + length) / blockSize) * blockSize,
      writeTimeNs: changeNs,
      settled: changing.then(
        () => {},
        () => {},
      ),
    };
    this.#inFlight.push(batch);
    try {
      const attributes = await changing;
      this.#learn(attributes);
      this.#parts.committed(attributes);
      return attributes;
    } finally {
      this.#inFlight = this.#inFlight.filter((other) => other !== batch);
      this.#stream();
    }
  }

  /** A lock is another's now that what is pending here may have been written under: it is dropped, and the handles know. */
  lose(error: Error): void {
    this.guard.lose(error);
    if (this.isPending) this.#fail(error);
  }

  #learn(fetched: Attributes): void {
    if (fetched.revision < this.#stored.revision) return;
    if (this.#isTimeOfOthers(fetched)) this.#writeTimeNs = null;
    this.#stored = fetched;
    this.#followAppends();
  }

  /** The modification time was set, or written, by others after all that is pending here was written. */
  #isTimeOfOthers({ modifyTimeNs, changeTimeNs }: Attributes): boolean {
    const writeTimeNs = this.#writeTimeNs;
    if (writeTimeNs === null || changeTimeNs <= writeTimeNs || modifyTimeNs === this.#stored.modifyTimeNs) return false;
    return this.isPending && !this.#inFlight.some((batch) => batch.writeTimeNs === modifyTimeNs);
  }

  /** Where others have appended, what is appended here and not stored yet comes behind it. */
  #followAppends(): void {
    const appendedFrom = this.#appendedFrom;
    const { sizeBytes } = this.#stored;
    if (appendedFrom === undefined || sizeBytes <= appendedFrom) return;
    // Until a cut is stored, the size may be the one before it.
    if (this.#cutAt !== undefined) return;
    this.#dirty.moveTail(appendedFrom, sizeBytes);
    const moved = sizeBytes - appendedFrom;
    this.#appendStarts = this.#appendStarts.map((start) => (start < appendedFrom ? start : start + moved));
    this.#appendedFrom = sizeBytes;
    this.#parts.kernelCache.forgetContent(this.inode);
  }

  get #cutAt(): number | undefined {
    return this.#truncateTo ?? this.#inFlight.find((batch) => batch.truncateTo !== undefined)?.truncateTo;
  }

  #sizeOver(stored: Attributes): number {
    return attributesOver(stored, { cutAt: this.#cutAt, end: this.#pendingEnd }, this.#writeTimeNs).sizeBytes;
  }

  get #pendingEnd(): number {
    let end = this.#dirty.end;
    for (const batch of this.#inFlight)
      for (const { offset, data } of batch.extents) end = Math.max(end, offset + data.length);
    return end;
  }

  #touch(): void {
    const { clock } = this.#parts.runtime;
    this.#writeTimeNs = clock.nowNs();
    this.#timer ??= clock.after(FLUSH_AFTER_MS, () => {
      this.#timer = undefined;
      if (this.isOnlyTruncatedAtOpen) return;
      this.#parts.runtime.log.debug('writeback.aged', { inode: this.inode, bytes: this.#dirty.bytes });
      void this.flush();
    });
  }

  /** Sends full batches of a file that has outgrown a single commit. */
  #stream(): void {
    while (this.#streaming && this.#dirty.bytes >= BATCH_BYTES && this.#send(this.#batchEnd()));
  }

  #batchEnd(): number {
    const end = this.#dirty.offsetAfter(BATCH_BYTES);
    const aligned = end - (end % BATCH_BYTES);
    const wanted = aligned > this.#dirty.start ? aligned : end;
    if (this.#appendedFrom === undefined || wanted <= this.#appendedFrom) return wanted;
    if (this.#appendStarts.includes(wanted)) return wanted;
    return this.#appendStarts.findLast((start) => start <= end && start > this.#dirty.start) ?? wanted;
  }

  /** Sends what is dirty up to `end`; false when it must wait for a batch that is on its way. */
  #send(end: number): boolean {
    if (this.#inFlight.length >= BATCHES_IN_FLIGHT) return false;
    if (this.#inFlight.some((batch) => batch.truncateTo !== undefined)) return false;
    if (this.#truncateTo !== undefined && this.#inFlight.length > 0) return false;
    const blockSize = this.#stored.blockSizeBytes;
    const from = Math.floor(this.#dirty.start / blockSize) * blockSize;
    const to = Math.ceil(end / blockSize) * blockSize;
    // Of two that were appended, the mediator puts the second behind the first, also within a block.
    const isAppended = this.#appendedFrom !== undefined && this.#appendedFrom <= this.#dirty.start;
    const mustWait = (batch: Batch) => !(isAppended && batch.appendedFrom !== undefined);
    if (this.#inFlight.some((batch) => batch.from < to && from < batch.to && mustWait(batch))) return false;

    const before = this.#dirty.bytes;
    const extents = this.#dirty.takeUpTo(end);
    const truncateTo = this.#truncateTo;
    const appendedFrom = this.#appendedFrom;
    this.#truncateTo = undefined;
    this.#appendStarts = this.#appendStarts.filter((start) => start > end);
    if (appendedFrom !== undefined) this.#appendedFrom = this.#dirty.isEmpty ? undefined : Math.max(appendedFrom, end);
    this.#truncatedAtOpen = false;
    if (this.#dirty.isEmpty) {
      this.#timer?.cancel();
      this.#timer = undefined;
    }
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
    this.#inFlight.push(batch);
    batch.settled = this.#store(batch);
    return true;
  }

  async #store(batch: Batch): Promise<void> {
    const { files, budget, kernelCache } = this.#parts;
    const { extents, truncateTo, appendedFrom } = batch;
    const { limits } = this.guard;
    try {
      const write = {
        inode: this.inode,
        extents: appendedFrom === undefined ? extents : splitAt(extents, appendedFrom),
        modifyTimeNs: batch.writeTimeNs,
        ...(truncateTo === undefined ? {} : { truncateTo }),
        ...(appendedFrom === undefined ? {} : { appendedFrom }),
      };
      const attributes = await files.write(write, limits);
      // The kernel has these bytes where they would be if nobody else had appended or cut.
      const isElsewhere = attributes.sizeBytes > this.#pendingEnd || attributes.sizeBytes < endOf(extents);
      if (appendedFrom !== undefined && isElsewhere) kernelCache.forgetContent(this.inode);
      this.#learn(attributes);
      this.#parts.committed(attributes);
    } catch (error) {
      if (limits?.signal.aborted !== true)
        this.#fail(error instanceof Error ? error : new FileError('EIO', String(error)));
    } finally {
      this.#inFlight = this.#inFlight.filter((other) => other !== batch);
      budget.remove(batch.bytes);
    }
    if (truncateTo !== undefined) this.#followAppends();
    this.#stream();
  }

  #fail(error: Error): void {
    const { budget, kernelCache, runtime } = this.#parts;
    runtime.log.warn('writeback.failed', {
      inode: this.inode,
      error: error.message,
      droppedBytes: this.#dirty.bytes,
      toldHandles: this.handles.size,
    });
    const failure = { error, isOfBytes: true, isTold: false };
    for (const handle of this.handles) if (handle.writable) Object.assign(handle, { failure, isFailureSeen: false });
    budget.remove(this.#dirty.bytes);
    this.#dirty.clear();
    this.#truncateTo = undefined;
    this.#appendedFrom = undefined;
    this.#appendStarts = [];
    this.#truncatedAtOpen = false;
    this.#streaming = false;
    this.#timer?.cancel();
    this.#timer = undefined;
    kernelCache.forgetContent(this.inode);
  }

  /** Resolves when at least one batch that is on its way now has settled. */
  async #settleOne(): Promise<void> {
    await Promise.race(this.#inFlight.map((batch) => batch.settled));
  }
}
