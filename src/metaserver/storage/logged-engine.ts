// A storage with a write-ahead log: a write is durable once it is logged. In
// the background, checkpoints bring the storage below up to date, many writes at
// a time; until then the writes are read from memory.
//
// One row of the storage below holds the number of the last write that it has,
// in the same transaction. A start replays what the log has beyond that. When the
// log or the storage below fails, nothing is logged any more until the storage
// below has everything. A start on a disk that takes no writes keeps in memory
// what the log has.
import { Buffer } from 'node:buffer';
import { asError, errorFields } from '../../runtime/caught-errors.js';
import type { Timer } from '../../runtime/clock.js';
import { diskTrouble } from '../../runtime/disk-trouble.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import { SerialQueue } from '../../runtime/serial-queue.js';
import { getThrough, scanThrough } from '../engine/layers.js';
import { Overlay } from '../engine/overlay.js';
import { type EngineFactory, type Key, ROW_BYTES, type Room, type Row, type Storage } from '../engine/storage.js';
import type { Changes } from './log-record.js';
import { WriteAheadLog } from './write-ahead-log.js';

/** Of each of the log's two files: some thousand small writes. */
const LOG_FILE_BYTES = 2 * 1024 * 1024;
/** How far the storage below may lag behind the log, in time and in rows. */
const CHECKPOINT_INTERVAL_MS = 1000;
const CHECKPOINT_ROWS = 2048;
/** Rows of one transaction of a checkpoint on a disk with little room. */
const SMALL_TRANSACTION_ROWS = 64;

/** Sorts behind all other keys. Its row: u64 number of the last write that the storage below has, u64 salt of the log; little-endian. */
const PROGRESS_KEY: Key = '\u00ff'.repeat(1900);
const SALT_BYTES = 8;
const NO_CHANGES: Changes = new Map();

/** @param logFileBytes of each of the log's two files; 2 MiB when absent */
export function loggedEngine(base: EngineFactory, logFileBytes = LOG_FILE_BYTES): EngineFactory {
  return async (directory, runtime) => {
    const storage = await base(directory, runtime);
    try {
      const log = await WriteAheadLog.open(directory, logFileBytes, runtime);
      try {
        return await recover(storage, log, runtime);
      } catch (error) {
        await log.close();
        throw error;
      }
    } catch (error) {
      await storage.close();
      throw error;
    }
  };
}

/** Replays what the log has beyond the storage, as soon as the disk takes writes, and empties the log. */
async function recover(storage: Storage, log: WriteAheadLog, runtime: Runtime): Promise<Storage> {
  const row = storage.get(PROGRESS_KEY);
  const { salt, number } = decodeProgress(row);
  const { changes, last } = await log.read(salt, number);
  if (last > number) runtime.log.info('metadata.log_replayed', { writes: last - number, rows: changes.size });
  const freshSalt = Buffer.from(runtime.random.bytes(SALT_BYTES)).readBigUInt64LE();
  log.startOver(freshSalt, last);
  const logged = new LoggedStorage(storage, log, freshSalt, runtime);
  await logged.begin(changes, row !== undefined);
  return logged;
}

class LoggedStorage implements Storage {
  /** Logged since the last checkpoint began. */
  #logged = new Overlay();
  /** #logged, and below it what a checkpoint is writing to the storage. */
  #overlays: readonly Overlay[] = [this.#logged];
  /** Resolves, and never rejects, when the checkpoint that is under way has ended. */
  #checkpointing: Promise<void> | null = null;
  /** Set while nothing may be logged because the storage below does not have everything: why. */
  #failure: Error | null = null;
  /** Writes, and everything that must not run at the same time as a write. */
  readonly #queue = new SerialQueue();
  #timer: Timer | null = null;
  #isClosed = false;

  readonly #base: Storage;
  readonly #log: WriteAheadLog;
  readonly #salt: bigint;
  readonly #runtime: Runtime;

  constructor(base: Storage, log: WriteAheadLog, salt: bigint, runtime: Runtime) {
    this.#base = base;
    this.#log = log;
    this.#salt = salt;
    this.#runtime = runtime;
  }

  /** @param isOld the storage has been used before: it is opened for reading when the disk takes no writes */
  async begin(changes: Changes, isOld: boolean): Promise<void> {
    for (const [key, value] of changes) this.#logged.set(key, value);
    // Nothing may be logged before the storage has the log's new salt.
    this.#failure = new Error('the log is not begun');
    try {
      await this.#writeThrough(NO_CHANGES);
    } catch (error) {
      if (!isOld) throw error;
      this.#fail(error);
      this.#schedule();
    }
  }

  get(key: Key): Uint8Array | undefined {
    return getThrough(this.#overlays, this.#base, key);
  }

  scan(from: Key, to: Key, limit: number): Row[] {
    return scanThrough(this.#overlays, this.#base, from, to < PROGRESS_KEY ? to : PROGRESS_KEY, limit);
  }

  write(changes: Changes): Promise<void> {
    return this.#queue.run(() => this.#write(changes));
  }

  async room(): Promise<Room> {
    const { leftBytes, ...room } = await this.#base.room();
    const rows = this.#overlays.reduce((sum, { size }) => sum + size, 0);
    return { ...room, leftBytes: leftBytes - rows * ROW_BYTES, failure: this.#failure };
  }

  checkpoint(): Promise<void> {
    return this.#queue.run(() => this.#writeThrough(NO_CHANGES));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    try {
      await this.#queue.run(() => this.#writeThrough(NO_CHANGES));
    } catch (error) {
      // Nothing is lost: the next start replays the log.
      this.#noteFailure(error);
    }
    await this.#log.close();
    await this.#base.close();
  }

  async #write(changes: Changes): Promise<void> {
    const record = this.#log.record(changes);
    if (!this.#log.hasRoom(record)) {
      await this.#checkpointing;
      this.#startCheckpoint();
    }
    if (this.#failure !== null || !this.#log.hasRoom(record)) {
      await this.#writeThrough(changes);
      return;
    }
    try {
      await this.#log.append(record);
    } catch (error) {
      this.#fail(error);
      throw error;
    }
    for (const [key, value] of changes) this.#logged.set(key, value);
    if (this.#log.isHalfFull || this.#logged.size > CHECKPOINT_ROWS) this.#startCheckpoint();
    else this.#schedule();
  }

  /** Writes all that is logged to the storage below, in the background. Only from within the queue. */
  #startCheckpoint(): void {
    if (this.#checkpointing !== null || this.#failure !== null || this.#logged.size === 0) return;
    const leaving = this.#logged;
    this.#logged = new Overlay();
    this.#overlays = [this.#logged, leaving];
    this.#log.switchLogFile();
    this.#checkpointing = this.#runCheckpoint(leaving, this.#log.last);
  }

  async #runCheckpoint(leaving: Overlay, last: number): Promise<void> {
    let failure: unknown;
    try {
      await this.#store(leaving.changes, NO_CHANGES, last);
    } catch (error) {
      failure = error;
      // Its log file stays as it is, since nothing is logged any more; what was logged meanwhile is newer.
      this.#fail(error);
      for (const [key, value] of this.#logged.changes) leaving.set(key, value);
      this.#logged = leaving;
    }
    this.#overlays = [this.#logged];
    this.#checkpointing = null;
    this.#schedule();
    // Only now: a write that waits for the checkpoint may catch it, and must find nothing half done.
    rethrowProgramFault(failure);
  }

  /** Writes all that is logged and these changes to the storage below, without the log. Only from within the queue. */
  async #writeThrough(changes: Changes): Promise<void> {
    await this.#checkpointing;
    // With a failure there may be a write in the log that was refused: the log must be emptied even when there is nothing to store.
    if (this.#logged.size === 0 && changes.size === 0 && this.#failure === null) return;
    const { last } = this.#log;
    const wasBroken = this.#failure !== null;
    try {
      await this.#store(this.#logged.changes, changes, last);
    } catch (error) {
      this.#failure = asError(error);
      throw error;
    }
    this.#failure = null;
    this.#logged = new Overlay();
    this.#overlays = [this.#logged];
    // The disk takes writes again: it may have room for the log's files now.
    if (wasBroken) await this.#log.prepare();
    this.#log.startOver(this.#salt, last);
  }

  /**
   * Writes everything in one transaction. On a disk without room for that, what is logged goes first, in small transactions.
   * That is safe: until the last one moves the progress row, a start replays all of it from the log, and readers see memory.
   */
  async #store(logged: Changes, changes: Changes, last: number): Promise<void> {
    try {
      const all = new Map(logged);
      for (const [key, value] of changes) all.set(key, value);
      await this.#base.write(withProgress(all, last, this.#salt));
    } catch (error) {
      if (diskTrouble(error) !== 'full' || logged.size === 0) throw error;
      const rows = [...logged];
      for (let at = 0; at < rows.length; at += SMALL_TRANSACTION_ROWS) {
        await this.#base.write(new Map(rows.slice(at, at + SMALL_TRANSACTION_ROWS)));
      }
      await this.#base.write(withProgress(changes, last, this.#salt));
    }
  }

  #schedule(): void {
    if (this.#timer !== null || this.#isClosed || (this.#logged.size === 0 && this.#failure === null)) return;
    this.#timer = this.#runtime.clock.after(CHECKPOINT_INTERVAL_MS, () => {
      this.#timer = null;
      const action = async () => {
        if (this.#isClosed) return;
        if (this.#failure !== null) await this.#writeThrough(NO_CHANGES);
        else this.#startCheckpoint();
      };
      this.#queue.run(action).catch((error: unknown) => {
        rethrowProgramFault(error);
        this.#noteFailure(error);
        this.#schedule();
      });
    });
  }

  /** From now on nothing is logged until the storage below has everything. */
  #fail(error: unknown): void {
    this.#failure = asError(error);
    this.#noteFailure(error);
  }

  #noteFailure(error: unknown): void {
    this.#runtime.log.error('metadata.take_over_failed', errorFields(error));
  }
}

function withProgress(changes: Changes, number: number, salt: bigint): Changes {
  const row = Buffer.alloc(16);
  row.writeBigUInt64LE(BigInt(number), 0);
  row.writeBigUInt64LE(salt, 8);
  return new Map(changes).set(PROGRESS_KEY, row);
}

/** Number and salt are 0 for a storage that has never had a log. */
function decodeProgress(row: Uint8Array | undefined): { number: number; salt: bigint } {
  const bytes = Buffer.from(row ?? new Uint8Array(16));
  return { number: Number(bytes.readBigUInt64LE(0)), salt: bytes.readBigUInt64LE(8) };
}
