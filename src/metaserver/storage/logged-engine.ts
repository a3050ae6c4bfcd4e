// A storage whose writes are durable once they are logged, and which the
// storage below takes over in the background, many writes at a time.
//
// What is logged stays readable from memory until then. One row of the storage
// below says which write it has taken over last, in the same transaction: what the
// log has beyond that is taken over at the next start. When the log or the storage
// below fails, nothing is logged any more until the storage below has everything.
// A start on a disk that takes no writes keeps in memory what the log has.
import { Buffer } from 'node:buffer';
import type { Timer } from '../../runtime/clock.js';
import { diskTrouble } from '../../runtime/disk-trouble.js';
import type { Runtime } from '../../runtime/runtime.js';
import { SerialQueue } from '../../runtime/serial-queue.js';
import { getThrough, scanThrough } from '../engine/layers.js';
import { Overlay } from '../engine/overlay.js';
import { type EngineFactory, type Key, ROW_BYTES, type Room, type Row, type Storage } from '../engine/storage.js';
import { type Changes, CommitLog } from './commit-log.js';

/** Of each of the log's two files: some thousand small writes. */
const LOG_FILE_BYTES = 2 * 1024 * 1024;
/** How long the storage below may lag behind, in time and in rows. */
const TAKE_OVER_INTERVAL_MS = 1000;
const TAKE_OVER_ROWS = 2048;
/** What the storage below takes over at once where there is little room. */
const FEW_ROWS = 64;

/** Behind all others. Its row: u64 number of the write that was taken over last, u64 salt of the log; little-endian. */
const PROGRESS_KEY: Key = '\u00ff'.repeat(1900);
const SALT_BYTES = 8;
const NO_CHANGES: Changes = new Map();

/** @param logFileBytes of each of the log's two files; 2 MiB when absent */
export function loggedEngine(base: EngineFactory, logFileBytes = LOG_FILE_BYTES): EngineFactory {
  return async (directory, runtime) => {
    const storage = await base(directory, runtime);
    try {
      const log = await CommitLog.open(directory, logFileBytes, runtime);
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

/** The storage takes over what the log has beyond it, as soon as the disk takes writes, and the log begins anew. */
async function recover(storage: Storage, log: CommitLog, runtime: Runtime): Promise<Storage> {
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
  /** In the log, and not on its way to the storage below. */
  #logged = new Overlay();
  /** With what is on its way there. */
  #overlays: readonly Overlay[] = [this.#logged];
  /** Settles, and never rejects, when that has ended. */
  #takingOver: Promise<void> | null = null;
  /** Why nothing may be logged before the storage below has everything. */
  #failure: Error | null = null;
  /** Writes, and what must not run beside one. */
  readonly #queue = new SerialQueue();
  #timer: Timer | null = null;
  #isClosed = false;

  readonly #base: Storage;
  readonly #log: CommitLog;
  readonly #salt: bigint;
  readonly #runtime: Runtime;

  constructor(base: Storage, log: CommitLog, salt: bigint, runtime: Runtime) {
    this.#base = base;
    this.#log = log;
    this.#salt = salt;
    this.#runtime = runtime;
  }

  /** @param isOld there is something to read, also where nothing can be written */
  async begin(changes: Changes, isOld: boolean): Promise<void> {
    for (const [key, value] of changes) this.#logged.set(key, value);
    // The storage does not know the log's salt yet.
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

  settle(): Promise<void> {
    return this.#queue.run(() => this.#writeThrough(NO_CHANGES));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    try {
      await this.#queue.run(() => this.#writeThrough(NO_CHANGES));
    } catch (error) {
      // Nothing is lost: the next start finds it in the log.
      this.#noteFailure(error);
    }
    await this.#log.close();
    await this.#base.close();
  }

  async #write(changes: Changes): Promise<void> {
    const record = this.#log.record(changes);
    if (!this.#log.hasRoom(record)) {
      await this.#takingOver;
      this.#startTakingOver();
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
    if (this.#log.isHalfFull || this.#logged.size > TAKE_OVER_ROWS) this.#startTakingOver();
    else this.#schedule();
  }

  /** All that is logged goes to the storage below in the background. Only in turn with writes. */
  #startTakingOver(): void {
    if (this.#takingOver !== null || this.#failure !== null || this.#logged.size === 0) return;
    const leaving = this.#logged;
    this.#logged = new Overlay();
    this.#overlays = [this.#logged, leaving];
    this.#log.takeTurns();
    this.#takingOver = this.#takeOver(leaving, this.#log.last);
  }

  async #takeOver(leaving: Overlay, last: number): Promise<void> {
    try {
      await this.#store(leaving.changes, NO_CHANGES, last);
    } catch (error) {
      // Its file can't be written over, and what came since lies above it.
      this.#fail(error);
      for (const [key, value] of this.#logged.changes) leaving.set(key, value);
      this.#logged = leaving;
    }
    this.#overlays = [this.#logged];
    this.#takingOver = null;
    this.#schedule();
  }

  /** These changes and all that is logged go to the storage below, which answers for them. Only in turn with writes. */
  async #writeThrough(changes: Changes): Promise<void> {
    await this.#takingOver;
    // A write that failed may stand in the log.
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
    // A disk that takes writes again may have room for a log too.
    if (wasBroken) await this.#log.prepare();
    this.#log.startOver(this.#salt, last);
  }

  /**
   * Everything in one write. On a disk that has no room for that, first what is logged, some rows at a time: the log has all of
   * them until the last write says how far the storage below has come, and what is read here lies above.
   */
  async #store(logged: Changes, changes: Changes, last: number): Promise<void> {
    try {
      const all = new Map(logged);
      for (const [key, value] of changes) all.set(key, value);
      await this.#base.write(withProgress(all, last, this.#salt));
    } catch (error) {
      if (diskTrouble(error) !== 'full' || logged.size === 0) throw error;
      const rows = [...logged];
      for (let at = 0; at < rows.length; at += FEW_ROWS) {
        await this.#base.write(new Map(rows.slice(at, at + FEW_ROWS)));
      }
      await this.#base.write(withProgress(changes, last, this.#salt));
    }
  }

  #schedule(): void {
    if (this.#timer !== null || this.#isClosed || (this.#logged.size === 0 && this.#failure === null)) return;
    this.#timer = this.#runtime.clock.after(TAKE_OVER_INTERVAL_MS, () => {
      this.#timer = null;
      const action = async () => {
        if (this.#isClosed) return;
        if (this.#failure !== null) await this.#writeThrough(NO_CHANGES);
        else this.#startTakingOver();
      };
      this.#queue.run(action).catch((error: unknown) => {
        this.#noteFailure(error);
        this.#schedule();
      });
    });
  }

  /** Nothing is logged any more until the storage below has everything. */
  #fail(error: unknown): void {
    this.#failure = asError(error);
    this.#noteFailure(error);
  }

  #noteFailure(error: unknown): void {
    this.#runtime.log.error('metadata.take_over_failed', { reason: String(error) });
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function withProgress(changes: Changes, number: number, salt: bigint): Changes {
  const row = Buffer.alloc(16);
  row.writeBigUInt64LE(BigInt(number), 0);
  row.writeBigUInt64LE(salt, 8);
  return new Map(changes).set(PROGRESS_KEY, row);
}

/** Zeros for a storage that has never had a log. */
function decodeProgress(row: Uint8Array | undefined): { number: number; salt: bigint } {
  const bytes = Buffer.from(row ?? new Uint8Array(16));
  return { number: Number(bytes.readBigUInt64LE(0)), salt: bytes.readBigUInt64LE(8) };
}
