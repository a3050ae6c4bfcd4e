// The end of the log. Records are appended to the active segment; one sync
// serves all who wait for it; a full segment is closed and a new one begun. A
// segment whose sync failed gets no more records, and what it holds behind its
// last good sync counts as not durable for ever.
import { Buffer } from 'node:buffer';
import { ServiceError } from '../../protocol/errors.js';
import { asError, errorFields } from '../../runtime/caught-errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { DiskFile } from '../../runtime/disk.js';
import type { Log } from '../../runtime/log.js';
import { Pacer } from '../../runtime/pacer.js';
import type { Place } from '../format/version-row.js';
import { SMALL_APPEND_BYTES, ZEROS_AHEAD_BYTES } from '../limits.js';
import type { Condition } from './condition.js';
import type { DirectAppend } from './direct-append.js';
import type { Segments } from './segments.js';
import type { UnsafeSegments } from './unsafe-segments.js';

export const ZEROS = Buffer.alloc(ZEROS_AHEAD_BYTES);

interface Waiter {
  resolve: () => void;
  reject: (error: Error) => void;
}

/** The segment that is appended to. Callers that wait for its sync keep it after the next one has become active. */
export interface ActiveSegment {
  readonly number: number;
  readonly file: DiskFile;
  endOffset: number;
  /** Zeros are written ahead up to here: see ZEROS_AHEAD_BYTES. */
  zeroedEnd: number;
  syncedOffset: number;
  failure: Error | null;
  waiters: Waiter[];
  syncing: boolean;
}

/** What is written behind the last record. */
export interface AppendedBatch {
  /** A filler before `startOffset`, empty when there is none. */
  filler: readonly Uint8Array[];
  /** Where the chunks begin. */
  startOffset: number;
  chunks: readonly Uint8Array[];
  endOffset: number;
  /** The chunks begin and end where a direct append may, and are to be written with one. */
  isDirect: boolean;
}

export interface SegmentLogParts {
  segments: Segments;
  unsafe: UnsafeSegments;
  /** A segment is closed when it has grown to this. */
  segmentBytes: number;
  direct: DirectAppend;
  clock: Clock;
  log: Log;
  condition: Condition;
  onFailedSegment(segment: number, syncedOffset: number): void;
}

export class SegmentLog {
  syncs = 0;
  /** Segments of which a sync failed, ever. */
  failures = 0;
  #active: ActiveSegment | null = null;
  #lastNumber = 0;
  readonly #writePacer: Pacer;
  readonly #syncPacer: Pacer;

  readonly #segments: Segments;
  readonly #unsafe: UnsafeSegments;
  readonly #segmentBytes: number;
  readonly #direct: DirectAppend;
  readonly #log: Log;
  readonly #condition: Condition;
  readonly #onFailedSegment: (segment: number, syncedOffset: number) => void;

  constructor(parts: SegmentLogParts) {
    const { segments, unsafe, segmentBytes, direct, clock, log, condition, onFailedSegment } = parts;
    this.#segments = segments;
    this.#unsafe = unsafe;
    this.#segmentBytes = segmentBytes;
    this.#direct = direct;
    this.#log = log;
    this.#condition = condition;
    this.#onFailedSegment = onFailedSegment;
    this.#writePacer = new Pacer(clock);
    this.#syncPacer = new Pacer(clock);
  }

  /** The highest segment number ever used: the active segment's, when there is one. */
  get lastNumber(): number {
    return this.#lastNumber;
  }

  /**
   * Makes the last segment of the process before the active one, unless a sync of it failed. Nothing of it counts as synced.
   * @param lastNumber the highest segment number ever used
   */
  async resume(lastNumber: number, endOffset: number): Promise<void> {
    this.#lastNumber = lastNumber;
    // Also when it is full: it may not be synced yet.
    if (lastNumber === 0 || this.#unsafe.has(lastNumber)) return;
    this.#active = newActive(lastNumber, await this.#segments.openToAppend(lastNumber), endOffset);
  }

  /** The segment for the next batch, a new one when the last is full or failed. Fails when the disk does. */
  async ready(): Promise<ActiveSegment> {
    const active = this.#active;
    if (active !== null && active.failure === null && active.endOffset < this.#segmentBytes) return active;
    if (active !== null) {
      // A flush syncs the active segment only, so a closed one must be durable or marked unsafe. When this sync fails,
      // #syncWaiters marks it.
      if (active.failure === null) await this.synced(active).catch(() => {});
      this.#active = null;
      await this.#closeQuietly(active);
    }
    const number = this.#lastNumber + 1;
    const file = await this.#create(number);
    this.#lastNumber = number;
    this.#active = newActive(number, file, 0);
    return this.#active;
  }

  /** Whether an append of so many bytes goes past the system's page cache: then it begins and ends with a page. */
  appendsDirectly(active: ActiveSegment, bytes: number): boolean {
    return this.#direct.isFor(bytes, active.endOffset);
  }

  /**
   * Writes the batch behind the last record. When it rejects, nothing counts as appended.
   * @param mayWriteAhead a sync follows, and the disk has room for zeros ahead
   */
  async append(active: ActiveSegment, batch: AppendedBatch, mayWriteAhead: boolean): Promise<void> {
    const { file } = active;
    const { filler, startOffset, chunks, endOffset, isDirect } = batch;
    const bytes = endOffset - active.endOffset;
    if (mayWriteAhead && bytes <= SMALL_APPEND_BYTES && !isDirect) this.#writeAhead(active, endOffset);
    try {
      if (filler.length > 0) await this.#write(file, filler, active.endOffset, startOffset - active.endOffset);
      if (!isDirect || !(await this.#direct.write(file, chunks, startOffset))) {
        const writing = this.#write(file, chunks, startOffset, endOffset - startOffset);
        if (writing !== undefined) await writing;
      }
    } catch (error) {
      this.#condition.failed(error);
      // The next batch or the next start would overwrite or cut what was written in part; cutting it now frees its room.
      await this.#cut(active);
      throw error;
    }
    this.#condition.worked();
    active.endOffset = endOffset;
    this.#segments.setSize(active.number, active.endOffset);
  }

  /** Resolves when all that was appended to the segment before this call is on stable storage. One sync serves all who wait. */
  synced(active: ActiveSegment): Promise<void> {
    if (active.failure !== null) return Promise.reject(syncFailed(active.failure));
    if (active.syncedOffset >= active.endOffset) return Promise.resolve();
    return new Promise((resolve, reject) => {
      active.waiters.push({ resolve, reject });
      if (!active.syncing) void this.#syncWaiters(active);
    });
  }

  /** Resolves when all that was ever appended is on stable storage, but for what lies in unsafe segments. */
  async syncActive(): Promise<void> {
    if (this.#active !== null) await this.synced(this.#active);
  }

  /** Resolves when all that was ever appended is on stable storage. Rejects while an unsafe segment waits to be written anew. */
  async flush(): Promise<void> {
    await this.flushBehind(0);
  }

  /** Resolves when all that was ever appended behind that segment is on stable storage. Rejects while an unsafe one of these waits. */
  async flushBehind(segment: number): Promise<void> {
    await this.syncActive();
    const unsafe = this.#unsafe.entries().find(([number]) => number > segment);
    if (unsafe !== undefined) throw syncFailed(new Error(`segment ${unsafe[0]} waits to be written anew`));
  }

  /**
   * The segment, whose sync failed, is empty now. It is still the active one if nothing had to be moved: then no flush would succeed
   * before the next append. Only the batch writer begins new segments.
   */
  async letGo(segment: number): Promise<void> {
    const active = this.#active;
    if (active?.number !== segment) return;
    this.#active = null;
    await this.#closeQuietly(active);
  }

  /** Whether a sync of the bytes at that place failed: they may be lost in a power cut, however old they are. */
  isUnsafe(place: Place): boolean {
    return this.#unsafe.includes(place);
  }

  async close(): Promise<void> {
    const active = this.#active;
    this.#active = null;
    if (active === null) return;
    try {
      if (active.failure === null) await this.synced(active);
    } finally {
      await this.#closeQuietly(active);
    }
  }

  /** Never rejects: the waiters hear of it. */
  async #syncWaiters(active: ActiveSegment): Promise<void> {
    active.syncing = true;
    while (active.waiters.length > 0) {
      const waiters = active.waiters;
      active.waiters = [];
      const end = active.endOffset;
      try {
        this.syncs++;
        const { file } = active;
        if (file.syncNow !== undefined && this.#syncPacer.isQuick) this.#syncPacer.runNow(0, file.syncNow.bind(file));
        else await this.#syncPacer.runPooled(0, () => file.sync());
        active.syncedOffset = end;
        for (const { resolve } of waiters) resolve();
      } catch (error) {
        active.failure = asError(error);
        this.#condition.failed(error);
        await this.#noteFailure(active);
        const failed = syncFailed(active.failure);
        for (const { reject } of [...waiters, ...active.waiters]) reject(failed);
        active.waiters = [];
      }
    }
    active.syncing = false;
  }

  /** Stores the failure before any waiter hears of it: the next process could not find it out. */
  async #noteFailure(active: ActiveSegment): Promise<void> {
    this.failures++;
    this.#log.error('segment.sync_failed', { segment: active.number, reason: String(active.failure?.message) });
    await this.#unsafe.add(active.number, active.syncedOffset);
    this.#onFailedSegment(active.number, active.syncedOffset);
  }

  /** Through the system's cache: on this thread while the disk is quick, and then without a promise. */
  #write(file: DiskFile, chunks: readonly Uint8Array[], position: number, bytes: number): Promise<void> | undefined {
    if (!this.#writePacer.isQuick) return this.#writePacer.runPooled(bytes, () => file.write(chunks, position));
    this.#writePacer.runNow(bytes, () => file.writeNow(chunks, position));
    return undefined;
  }

  /** Zeros behind the end, so that the next appends leave the file's size alone: see ZEROS_AHEAD_BYTES. */
  #writeAhead(active: ActiveSegment, end: number): void {
    const bytes = Math.min(ZEROS.length, this.#segmentBytes - end);
    if (end <= active.zeroedEnd || bytes <= 0) return;
    // Set before the write: zeros of a write that failed halfway must be cut off too.
    active.zeroedEnd = end + bytes;
    try {
      active.file.writeNow([ZEROS.subarray(0, bytes)], end);
    } catch (error) {
      // Without zeros ahead the sync is only slower. If the disk is failing, the append finds out.
      this.#log.debug('segment.zeros_failed', { segment: active.number, ...errorFields(error) });
    }
  }

  async #create(number: number): Promise<DiskFile> {
    try {
      return await this.#segments.create(number);
    } catch (error) {
      this.#condition.failed(error);
      throw error;
    }
  }

  /** Cuts off what lies behind the last record. */
  async #cut(active: ActiveSegment): Promise<void> {
    active.zeroedEnd = 0;
    await active.file.truncate(active.endOffset).catch((error: unknown) => {
      this.#log.warn('segment.cut_failed', { segment: active.number, ...errorFields(error) });
    });
  }

  async #closeQuietly(active: ActiveSegment): Promise<void> {
    if (active.zeroedEnd > active.endOffset) await this.#cut(active);
    await active.file.close().catch((error: unknown) => {
      this.#log.warn('segment.close_failed', { segment: active.number, ...errorFields(error) });
    });
  }
}

function newActive(number: number, file: DiskFile, endOffset: number): ActiveSegment {
  return { number, file, endOffset, zeroedEnd: 0, syncedOffset: 0, failure: null, waiters: [], syncing: false };
}

function syncFailed(cause: Error): ServiceError {
  return new ServiceError('FAILED', `what was written could not be made durable: ${cause.message}`);
}
