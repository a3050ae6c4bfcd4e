// A storage whose writes are entries of a group's log: a write is durable once a majority of the group has logged it. A group of
// one, which a lone metaserver is, writes without its log while the log can't be used.
import { join } from 'node:path';
import type { Mark } from '../../replication/core/core.js';
import type { MemberId } from '../../replication/core/members.js';
import { Raft } from '../../replication/core/raft/raft.js';
import { ReplicationLog } from '../../replication/log/replication-log.js';
import { GroupMember } from '../../replication/member/group-member.js';
import type { Transport } from '../../replication/member/transport.js';
import { assert } from '../../runtime/assert.js';
import { asError, errorFields } from '../../runtime/caught-errors.js';
import type { Timer } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import { randomHex } from '../../runtime/random.js';
import type { Runtime } from '../../runtime/runtime.js';
import { SerialQueue } from '../../runtime/serial-queue.js';
import type { EngineFactory, Key, Room, Row, Storage } from '../engine/storage.js';
import { AppliedRows } from './applied-rows.js';
import type { Changes } from './batch.js';
import { readEarlierLog, removeEarlierLog } from './earlier-log.js';
import { decodeProgress, encodeProgress, PROGRESS_KEY, type Progress } from './progress.js';

/** Of a segment of the log: some thousand small writes. */
const SEGMENT_BYTES = 2 * 1024 * 1024;
const CACHE_BYTES = 8 * 1024 * 1024;
const TICK_MS = 25;
const ELECTION_TICKS = 12;
const HEARTBEAT_TICKS = 2;
const MAXIMUM_APPEND_BYTES = 1024 * 1024;
const MAXIMUM_IN_FLIGHT = 64;
/** How far the storage may lag behind the log, in time and in rows. */
const CHECKPOINT_INTERVAL_MS = 1000;
const CHECKPOINT_ROWS = 2048;
const MEMBER_ID_BYTES = 8;
const NO_CHANGES: Changes = new Map();
/** There is nobody to say anything to. */
const ALONE: Transport = {
  send: (message) => assert(false, `${message.kind} has nobody to go to`),
  sendState: () => Promise.reject(new Error('there is nobody to send a state to')),
};

/** @param segmentBytes of a segment of the log; 2 MiB when absent */
export function groupEngine(base: EngineFactory, segmentBytes = SEGMENT_BYTES): EngineFactory {
  return async (directory, runtime) => {
    const storage = await base(directory, runtime);
    try {
      const progress = await readProgress(directory, storage, runtime);
      const group = new GroupStorage({ directory, base: storage, progress, segmentBytes, runtime });
      await group.open();
      return group;
    } catch (error) {
      await storage.close();
      throw error;
    }
  };
}

/** A new store founds a group of one, and so does one that was last used before there were groups. */
async function readProgress(directory: string, storage: Storage, runtime: Runtime): Promise<Progress> {
  const row = storage.get(PROGRESS_KEY);
  const found = row === undefined ? undefined : decodeProgress(row);
  if (found !== undefined && 'self' in found) return found;
  const changes = found === undefined ? NO_CHANGES : await readEarlierLog(directory, found, runtime.disk);
  const self = randomHex(runtime.random, MEMBER_ID_BYTES);
  const mark: Mark = { index: 0, term: 0, members: { voters: [self], learners: [] } };
  const progress = { self, mark, digest: 0n };
  await storage.write(new Map(changes).set(PROGRESS_KEY, encodeProgress(progress)));
  await removeEarlierLog(directory, runtime.disk);
  return progress;
}

interface Parts {
  directory: string;
  base: Storage;
  progress: Progress;
  segmentBytes: number;
  runtime: Runtime;
}

class GroupStorage implements Storage {
  readonly #rows: AppliedRows;
  readonly #self: MemberId;
  #log: ReplicationLog | null = null;
  /** null while the log can't be written. */
  #member: GroupMember | null = null;
  /** Why. */
  #failure: Error | null = null;
  #timer: Timer | null = null;
  #isClosed = false;
  #isCheckpointing = false;
  /** Opening, closing, and writes without the log. */
  readonly #queue = new SerialQueue();

  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#self = parts.progress.self;
    this.#rows = new AppliedRows(parts.base, parts.progress);
  }

  /** Rejects for a log that is damaged or can't be read. On a disk that takes no writes, the storage can be read. */
  async open(): Promise<void> {
    try {
      await this.#queue.run(() => this.#openLog());
    } catch (error) {
      if (this.#log === null) throw error;
      this.#noteFailure(error);
    }
    this.#schedule();
  }

  get(key: Key): Uint8Array | undefined {
    return this.#rows.get(key);
  }

  scan(from: Key, to: Key, limit: number): Row[] {
    return this.#rows.scan(from, to, limit);
  }

  async write(changes: Changes): Promise<void> {
    const member = this.#member;
    if (member === null || this.#rows.failure !== null) {
      await this.#queue.run(() => this.#writeThrough(changes));
      return;
    }
    try {
      await member.propose(this.#rows.encode(changes));
    } catch (error) {
      throw this.#failure ?? error;
    }
    const isLogFull = (this.#log?.bytes ?? 0) > this.#parts.segmentBytes;
    if (isLogFull || this.#rows.freshRows > CHECKPOINT_ROWS) this.#checkpointInBackground();
    else this.#schedule();
  }

  async room(): Promise<Room> {
    const room = await this.#rows.room();
    return { ...room, failure: this.#failure ?? room.failure };
  }

  async checkpoint(): Promise<void> {
    await this.#rows.checkpoint();
    await this.#compact();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#queue.run(async () => {
      try {
        await this.#rows.checkpoint();
      } catch (error) {
        // Nothing is lost: the next start replays the log.
        this.#noteFailure(error);
      }
      await this.#closeLog();
    });
    await this.#parts.base.close();
  }

  /** Opens the log, applies what it has, and leads. */
  async #openLog(): Promise<void> {
    const { directory, segmentBytes, runtime } = this.#parts;
    const logDirectory = join(directory, 'log');
    await runtime.disk.makeDirectory(logDirectory);
    const settings = { owner: this.#self, segmentBytes, cacheBytes: CACHE_BYTES };
    const { index } = this.#rows.applied;
    const log = await ReplicationLog.open(logDirectory, this.#rows.applied, settings, runtime);
    if (log.damagedUpTo > 0) {
      await log.close();
      throw new Error(
        `the log in ${logDirectory} is damaged: entry ${log.damagedUpTo} was there, and entry ${log.lastIndex + 1} is not whole. ` +
          `Without this folder the metaserver starts with what its database has, up to entry ${index}`,
      );
    }
    this.#log = log;
    // Alone, whatever the log has is committed.
    if (log.lastIndex > index) {
      this.#rows.apply(await log.read(index + 1, log.lastIndex));
      runtime.log.info('metadata.log_replayed', { entries: log.lastIndex - index });
    }
    await this.#lead(log);
  }

  #lead(log: ReplicationLog): Promise<void> {
    const { runtime } = this.#parts;
    const core = new Raft(
      {
        self: this.#self,
        electionTicks: ELECTION_TICKS,
        heartbeatTicks: HEARTBEAT_TICKS,
        maximumAppendBytes: MAXIMUM_APPEND_BYTES,
        maximumInFlight: MAXIMUM_IN_FLIGHT,
        fraction: () => runtime.random.fraction(),
      },
      log.stored,
    );
    return new Promise((resolve, reject) => {
      const member = new GroupMember({
        core,
        log,
        state: this.#rows,
        transport: ALONE,
        runtime,
        events: {
          servingChanged: (isServing) => {
            if (!isServing) return;
            this.#member = member;
            this.#failure = null;
            resolve();
          },
          failed: (error) => {
            this.#member = null;
            this.#failure = asError(error);
            this.#noteFailure(error);
            this.#schedule();
            reject(error);
          },
        },
        tickMs: TICK_MS,
        electionTimeoutMs: ELECTION_TICKS * TICK_MS,
      });
      member.start();
    });
  }

  async #closeLog(): Promise<void> {
    const member = this.#member;
    this.#member = null;
    await member?.stop();
    await this.#log?.close();
    this.#log = null;
  }

  /** Writes to the storage, which then has everything, and goes on with a log that begins there. */
  async #writeThrough(changes: Changes): Promise<void> {
    assert(!this.#isClosed, 'nothing is written after the close');
    await this.#closeLog();
    await this.#rows.writeThrough(changes);
    await this.#openLog().catch((error: unknown) => this.#noteFailure(error));
  }

  /** After a failure: the storage gets everything, then the log is opened again. */
  async #restart(): Promise<void> {
    if (this.#isClosed || (this.#member !== null && this.#rows.failure === null)) return;
    if (this.#member === null) await this.#writeThrough(NO_CHANGES);
    else await this.#rows.checkpoint();
  }

  #checkpointInBackground(): void {
    this.#isCheckpointing = true;
    this.checkpoint()
      .catch((error: unknown) => this.#noteFailure(error))
      .finally(() => {
        this.#isCheckpointing = false;
        this.#schedule();
      });
  }

  async #compact(): Promise<void> {
    await this.#member?.compact(this.#rows.stored);
  }

  #schedule(): void {
    const isIdle = this.#member !== null && !this.#rows.isBehind;
    if (this.#timer !== null || this.#isClosed || this.#isCheckpointing || isIdle) return;
    this.#timer = this.#parts.runtime.clock.after(CHECKPOINT_INTERVAL_MS, () => {
      this.#timer = null;
      if (this.#member !== null && this.#rows.failure === null) {
        this.#checkpointInBackground();
        return;
      }
      this.#queue
        .run(() => this.#restart())
        .catch((error: unknown) => this.#noteFailure(error))
        .finally(() => this.#schedule());
    });
  }

  #noteFailure(error: unknown): void {
    rethrowProgramFault(error);
    this.#failure ??= this.#member === null ? asError(error) : null;
    this.#parts.runtime.log.error('metadata.take_over_failed', errorFields(error));
  }
}
