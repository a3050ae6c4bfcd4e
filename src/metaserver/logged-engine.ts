// A storage whose writes are durable once they are logged, and which the
// storage below takes over in the background, many writes at a time.
//
// What is logged stays readable from memory until then. One row of the storage
// below says which write it has taken over last, in the same transaction: what the
// log has beyond that is taken over at the next start. When the log or the storage
// below fails, nothing is logged any more until the storage below has everything.
import { Buffer } from 'node:buffer';
import type { Timer } from '../runtime/clock.js';
import type { Runtime } from '../runtime/runtime.js';
import { type Changes, CommitLog } from './commit-log.js';
import type { EngineFactory, Key, Row, Storage } from './engine.js';
import { getThrough, scanThrough } from './layers.js';
import { Overlay } from './overlay.js';

/** Of each of the log's two files: some thousand small writes. */
const LOG_FILE_BYTES = 2 * 1024 * 1024;
/** How long the storage below may lag behind, in time and in rows. */
const TAKE_OVER_INTERVAL_MS = 1000;
const TAKE_OVER_ROWS = 2048;

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

/** The storage takes over what the log has beyond it, and the log begins anew. */
async function recover(storage: Storage, log: CommitLog, runtime: Runtime): Promise<Storage> {
  const { salt, number } = decodeProgress(storage.get(PROGRESS_KEY));
  const { changes, last } = await log.read(salt, number);
  const freshSalt = Buffer.from(runtime.random.bytes(SALT_BYTES)).readBigUInt64LE();
  await storage.write(withProgress(changes, last, freshSalt));
  if (last > number) runtime.log.info('metadata.log_replayed', { writes: last - number, rows: changes.size });
  log.startOver(freshSalt, last);
  return new LoggedStorage(storage, log, freshSalt, runtime);
}

class LoggedStorage implements Storage {
  /** In the log, and not on its way to the storage below. */
  #logged = new Overlay();
  /** With what is on its way there. */
  #overlays: readonly Overlay[] = [this.#logged];
  /** Settles, and never rejects, when that has ended. */
  #takingOver: Promise<void> | null = null;
  /** Nothing may be logged before the storage below has everything. */
  #isBroken = false;
  /** The end of the last that took its turn with writes. */
  #turn: Promise<unknown> = Promise.resolve();
  #timer: Timer | null = null;
  #isClosed = false;

  constructor(
    private readonly base: Storage,
    private readonly log: CommitLog,
    private readonly salt: bigint,
    private readonly runtime: Runtime,
  ) {}

  get(key: Key): Uint8Array | undefined {
    return getThrough(this.#overlays, this.base, key);
  }

  scan(from: Key, to: Key, limit: number): Row[] {
    return scanThrough(this.#overlays, this.base, from, to < PROGRESS_KEY ? to : PROGRESS_KEY, limit);
  }

  write(changes: Changes): Promise<void> {
    return this.#inTurn(() => this.#write(changes));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    try {
      await this.#inTurn(() => this.#writeThrough(NO_CHANGES));
    } catch (error) {
      // Nothing is lost: the next start finds it in the log.
      this.#noteFailure(error);
    }
    await this.log.close();
    await this.base.close();
  }

  #inTurn(action: () => Promise<void>): Promise<void> {
    const result = this.#turn.then(action);
    // Whoever asked hears of a failure; who comes next need not.
    this.#turn = result.catch(() => {});
    return result;
  }

  async #write(changes: Changes): Promise<void> {
    const record = this.log.record(changes);
    if (!this.log.hasRoom(record)) {
      await this.#takingOver;
      this.#startTakingOver();
    }
    if (this.#isBroken || !this.log.hasRoom(record)) {
      await this.#writeThrough(changes);
      return;
    }
    try {
      await this.log.append(record);
    } catch (error) {
      this.#isBroken = true;
      throw error;
    }
    for (const [key, value] of changes) this.#logged.set(key, value);
    if (this.log.isHalfFull || this.#logged.size > TAKE_OVER_ROWS) this.#startTakingOver();
    else this.#schedule();
  }

  /** All that is logged goes to the storage below in the background. Only in turn with writes. */
  #startTakingOver(): void {
    if (this.#takingOver !== null || this.#isBroken || this.#logged.size === 0) return;
    const leaving = this.#logged;
    this.#logged = new Overlay();
    this.#overlays = [this.#logged, leaving];
    this.log.takeTurns();
    this.#takingOver = this.#takeOver(leaving, this.log.last);
  }

  async #takeOver(leaving: Overlay, last: number): Promise<void> {
    try {
      await this.base.write(withProgress(leaving.changes, last, this.salt));
    } catch (error) {
      this.#noteFailure(error);
      // Its file can't be written over, and what came since lies above it.
      this.#isBroken = true;
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
    const all = new Map(this.#logged.changes);
    for (const [key, value] of changes) all.set(key, value);
    // A write that failed may stand in the log.
    if (all.size === 0 && !this.#isBroken) return;
    const { last } = this.log;
    await this.base.write(withProgress(all, last, this.salt));
    this.#isBroken = false;
    this.#logged = new Overlay();
    this.#overlays = [this.#logged];
    this.log.startOver(this.salt, last);
  }

  #schedule(): void {
    if (this.#timer !== null || this.#isClosed || this.#logged.size === 0) return;
    this.#timer = this.runtime.clock.after(TAKE_OVER_INTERVAL_MS, () => {
      this.#timer = null;
      const action = async () => {
        if (this.#isClosed) return;
        if (this.#isBroken) await this.#writeThrough(NO_CHANGES);
        else this.#startTakingOver();
      };
      this.#inTurn(action).catch((error: unknown) => {
        this.#noteFailure(error);
        this.#schedule();
      });
    });
  }

  #noteFailure(error: unknown): void {
    this.runtime.log.error('metadata.take_over_failed', { reason: String(error) });
  }
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
