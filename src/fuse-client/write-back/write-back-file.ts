// One file that is open here: who has it open, and how what is pending of it is
// sent. A truncation travels in one commit with the bytes after it. A batch that
// fails is not retried: what is pending is dropped, every handle that is open
// for writing reports the error, and what was stored before stays.
import { FileError } from '../../protocol/errors.js';
import { endOf } from '../../protocol/services/blocks.js';
import type { Attributes, FileService } from '../../protocol/services/files.js';
import type { CallOptions } from '../../protocol/services/service.js';
import type { Timer } from '../../runtime/clock.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { KernelCache } from '../cache/kernel-cache.js';
import type { Batch } from './batches-in-flight.js';
import { LockGuard } from './lock-guard.js';
import type { MemoryBudget } from './memory-budget.js';
import { type Overlay, splitAt } from './overlay.js';
import { PendingChanges } from './pending-changes.js';
import { SyncHabit } from './sync-habit.js';
import { type OpenFile, throwErrorOnce } from './unreported-errors.js';

/** Up to here a file goes out in one commit at close; beyond, batches leave in the background. */
const SINGLE_COMMIT_BYTES = 8 * 1024 * 1024;
/** A background batch: large enough that messages cost little, a multiple of every block size. */
const BATCH_BYTES = 4 * 1024 * 1024;
/** Bytes of a file that stays open are sent after this long at the latest. */
const FLUSH_AFTER_MS = 5000;

export interface WriteBackDependencies {
  files: FileService;
  runtime: Runtime;
  budget: MemoryBudget;
  kernelCache: KernelCache;
  /** Called with the attributes after each commit. */
  committed(attributes: Attributes): void;
}

export class WriteBackFile {
  readonly handles = new Set<OpenFile>();
  readonly guard = new LockGuard();
  /** The last name went while it was open here: its space is given back at the last close. */
  orphaned = false;
  readonly #pending: PendingChanges;
  readonly #habit = new SyncHabit();
  /** The file has outgrown a single commit: each full batch is sent at once. */
  #isStreaming = false;
  #timer: Timer | undefined;

  readonly #dependencies: WriteBackDependencies;

  constructor(
    readonly inode: number,
    stored: Attributes,
    dependencies: WriteBackDependencies,
  ) {
    this.#dependencies = dependencies;
    this.#pending = new PendingChanges(stored, () => dependencies.kernelCache.forgetContent(inode));
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
    return !this.#pending.isEmpty;
  }

  get isUnsent(): boolean {
    return this.#pending.isUnsent;
  }

  /** All that is pending is the truncation of an open with O_TRUNC. */
  get isOnlyTruncatedByOpen(): boolean {
    return this.#pending.isOnlyTruncatedByOpen;
  }

  /** The newest attributes known, with what is pending. */
  get attributes(): Attributes {
    return this.#pending.attributes;
  }

  /** Takes attributes that the service answered, unless newer ones are known; answers the newest, with what is pending. */
  update(fetched: Attributes): Attributes {
    this.#pending.learn(fetched);
    return this.#pending.attributes;
  }

  overlay(from: number, to: number): Overlay {
    return this.#pending.overlay(from, to);
  }

  /** Takes the attributes that come next, whatever their revision. */
  forgetRevision(): void {
    this.#pending.forgetRevision();
  }

  /** Takes bytes; `data` belongs to the buffer from now on. */
  write(offset: number, data: Uint8Array): void {
    const before = this.#pending.dirtyBytes;
    this.#pending.write(offset, data);
    this.#dependencies.budget.add(this.#pending.dirtyBytes - before);
    this.#touch();
    if (this.#pending.dirtyBytes > SINGLE_COMMIT_BYTES) this.#isStreaming = true;
    if (this.#habit.wrote()) void this.flush();
    else this.#stream();
  }

  /** Takes bytes for the end of the file, which may move until they are stored: behind what others append meanwhile. */
  append(data: Uint8Array): void {
    const { sizeBytes } = this.attributes;
    this.#pending.noteAppend(sizeBytes);
    this.write(sizeBytes, data);
  }

  /** Cuts the file at `sizeBytes`, no more than its size, when the next batch is stored. */
  async truncate(sizeBytes: number, reason: 'open' | 'request'): Promise<void> {
    const { limits } = this.guard;
    await this.settled();
    limits?.signal.throwIfAborted();
    // Nothing to cut: another mount may have written behind that end by the time this is stored.
    if (sizeBytes >= this.attributes.sizeBytes) return;
    // A cut and what is written after it belong into one commit.
    this.#habit.forget();
    const before = this.#pending.dirtyBytes;
    this.#pending.truncate(sizeBytes, reason);
    this.#dependencies.budget.remove(before - this.#pending.dirtyBytes);
    this.#touch();
  }

  /** The flush of an fsync. */
  sync(): Promise<void> {
    this.#habit.synced();
    return this.flush();
  }

  /** Resolves when everything that is pending is stored or has failed: then the handles have the error. Never rejects. */
  async flush(): Promise<void> {
    const { inFlight } = this.#pending;
    while (this.isUnsent) {
      const isWhole = !this.#isStreaming && this.#pending.dirtyBytes <= SINGLE_COMMIT_BYTES;
      const end = isWhole ? this.#pending.dirtyEnd : this.#pending.batchEnd(BATCH_BYTES);
      if (!this.#send(end)) await inFlight.settleOne();
    }
    await this.settled();
    this.#isStreaming = false;
  }

  /** Resolves when nothing is on its way any more. */
  async settled(): Promise<void> {
    const { inFlight } = this.#pending;
    while (!inFlight.isEmpty) await inFlight.settleOne();
  }

  /** Runs a change of the modification time: what was written before has none of its own from then on, unless the change fails. */
  async setTime<T>(change: () => Promise<T>): Promise<T> {
    const { writeTimeNs } = this.#pending;
    this.#pending.touch(null);
    try {
      return await change();
    } catch (error) {
      if (this.#pending.writeTimeNs === null) this.#pending.touch(writeTimeNs);
      throw error;
    }
  }

  /**
   * Changes stored bytes by something else than a write. Stores everything that was written before; writes into the same
   * blocks wait until `work` is done. `work` gets the time of the change.
   * @throws an error that was not reported through `handle`, without doing the work, or what the work throws
   */
  async change(
    handle: OpenFile,
    { offset, length }: { offset: number; length: number },
    work: (modifyTimeNs: bigint, limits: CallOptions | undefined) => Promise<Attributes>,
  ): Promise<Attributes> {
    while (this.isPending) await this.flush();
    throwErrorOnce(handle);
    const changeNs = this.#dependencies.runtime.clock.nowNs();
    this.#pending.touch(changeNs);
    const changing = this.guard.run((limits) => work(changeNs, limits));
    const { blockSizeBytes, inFlight } = this.#pending;
    const batch: Batch = {
      extents: [],
      bytes: 0,
      truncateTo: undefined,
      appendedFrom: undefined,
      from: Math.floor(offset / blockSizeBytes) * blockSizeBytes,
      to: Math.ceil((offset + length) / blockSizeBytes) * blockSizeBytes,
      writeTimeNs: changeNs,
      settled: changing.then(
        () => {},
        () => {},
      ),
    };
    inFlight.add(batch);
    try {
      const attributes = await changing;
      this.#pending.learn(attributes);
      this.#dependencies.committed(attributes);
      return attributes;
    } finally {
      inFlight.remove(batch);
      this.#stream();
    }
  }

  /** Drops what is pending, since it may have been written under a lock that others have now; the handles report the error. */
  dropPending(error: Error): void {
    this.guard.abortAll(error);
    if (this.isPending) this.#fail(error);
  }

  #touch(): void {
    const { clock } = this.#dependencies.runtime;
    this.#pending.touch(clock.nowNs());
    this.#timer ??= clock.after(FLUSH_AFTER_MS, () => {
      this.#timer = undefined;
      if (this.isOnlyTruncatedByOpen) return;
      this.#dependencies.runtime.log.debug('writeback.aged', { inode: this.inode, bytes: this.#pending.dirtyBytes });
      void this.flush();
    });
  }

  #stopTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Sends the full batches of a file that has outgrown a single commit. */
  #stream(): void {
    while (
      this.#isStreaming &&
      this.#pending.dirtyBytes >= BATCH_BYTES &&
      this.#send(this.#pending.batchEnd(BATCH_BYTES))
    );
  }

  /** Sends what is dirty up to `end`; false when it must wait for a batch that is on its way. */
  #send(end: number): boolean {
    const batch = this.#pending.startBatch(end);
    if (batch === undefined) return false;
    if (this.#pending.dirtyBytes === 0) this.#stopTimer();
    batch.settled = this.#store(batch);
    return true;
  }

  async #store(batch: Batch): Promise<void> {
    const { files, budget, kernelCache } = this.#dependencies;
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
      // The kernel's pages have these bytes where they would be if nobody else had appended or cut.
      const isElsewhere = attributes.sizeBytes > this.#pending.end || attributes.sizeBytes < endOf(extents);
      if (appendedFrom !== undefined && isElsewhere) kernelCache.forgetContent(this.inode);
      this.#pending.learn(attributes);
      this.#dependencies.committed(attributes);
    } catch (error) {
      if (limits?.signal.aborted !== true)
        this.#fail(error instanceof Error ? error : new FileError('EIO', String(error)));
    } finally {
      this.#pending.inFlight.remove(batch);
      budget.remove(batch.bytes);
    }
    if (truncateTo !== undefined) this.#pending.followAppends();
    this.#stream();
  }

  #fail(error: Error): void {
    const { budget, kernelCache, runtime } = this.#dependencies;
    const { dirtyBytes } = this.#pending;
    runtime.log.warn('writeback.failed', {
      inode: this.inode,
      error: error.message,
      droppedBytes: dirtyBytes,
      toldHandles: this.handles.size,
    });
    const unreported = { error, isDataLoss: true, isReported: false };
    for (const handle of this.handles) {
      if (handle.writable) Object.assign(handle, { unreported, isReportedBeforeFsync: false });
    }
    this.#pending.dropUnsent();
    budget.remove(dirtyBytes);
    this.#isStreaming = false;
    this.#stopTimer();
    kernelCache.forgetContent(this.inode);
  }
}
