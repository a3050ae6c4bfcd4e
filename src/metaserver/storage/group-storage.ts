// A storage whose writes are entries of a group's log: a write is durable once a majority of the group has logged it. A group of
// one, which a lone metaserver is, writes without its log while the log can't be used.
import { join } from 'node:path';
import type { Key, Row } from '../../namespace/view.js';
import type { MemberId, Members } from '../../replication/core/members.js';
import { type Standing, standingIn } from '../../replication/group/ask-to-join.js';
import { GroupLeadership } from '../../replication/group/leadership.js';
import { ReplicationLog } from '../../replication/log/replication-log.js';
import { GroupMember } from '../../replication/member/group-member.js';
import { DivergedError } from '../../replication/member/state-machine.js';
import type { Transport } from '../../replication/member/transport.js';
import { assert } from '../../runtime/assert.js';
import { asError, errorFields } from '../../runtime/caught-errors.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import { SerialQueue } from '../../runtime/serial-queue.js';
import type { BaseStorage, Room, Storage } from '../engine/storage.js';
import { AppliedRows } from './applied-rows.js';
import type { Changes } from './batch.js';
import { ELECTION_TIMEOUT_MS, makeCore, type Protocol, TICK_MS } from './make-core.js';
import type { Progress } from './progress.js';
import { StorageUpkeep } from './storage-upkeep.js';
import { type Sending, WholeStates } from './whole-states.js';

const CACHE_BYTES = 8 * 1024 * 1024;
/** How many rows the storage may lag behind the log. */
const CHECKPOINT_ROWS = 2048;
/** What is kept for voters that were away for a moment. */
const KEPT_SEGMENTS = 4;
const NO_CHANGES: Changes = new Map();

export interface GroupStorageParts {
  directory: string;
  base: BaseStorage;
  progress: Progress;
  protocol: Protocol;
  transport: Transport;
  segmentBytes: number;
  runtime: Runtime;
  /** The rows are not those of the other members: they must be replaced. */
  diverged: () => void;
}

export class GroupStorage implements Storage {
  readonly leadership: GroupLeadership;
  readonly self: MemberId;
  readonly #rows: AppliedRows;
  readonly #states: WholeStates;
  #log: ReplicationLog | null = null;
  /** null while the log can't be written. */
  #member: GroupMember | null = null;
  /** Why. */
  #failure: Error | null = null;
  #isClosed = false;
  #closing: Promise<void> | null = null;
  readonly #upkeep: StorageUpkeep;
  /** Opening, closing, and writes without the log. */
  readonly #queue = new SerialQueue();

  readonly #parts: GroupStorageParts;

  constructor(parts: GroupStorageParts) {
    this.#parts = parts;
    this.self = parts.progress.self;
    this.#rows = new AppliedRows(parts.base, parts.progress);
    this.#states = new WholeStates(parts.base, this.#rows, this.self);
    this.leadership = new GroupLeadership(
      () => this.#member,
      () => this.#isAlone,
      parts.runtime.clock,
    );
    this.#upkeep = new StorageUpkeep({
      clock: parts.runtime.clock,
      isWell: () => this.#member !== null && this.#rows.failure === null,
      isBehind: () => this.#rows.isBehind,
      mustCheckpoint: () => this.#rows.freshBytes > parts.segmentBytes || this.#rows.freshRows > CHECKPOINT_ROWS,
      checkpoint: () => this.checkpoint(),
      restart: () => this.#queue.run(() => this.#restart()),
      failed: (error) => this.#noteFailure(error),
    });
  }

  /**
   * Resolves when it leads, for a group of one, else when it takes part. Rejects for a log that can't be read, or of a group of one
   * that is damaged. On a disk that takes no writes, a group of one can be read.
   */
  async open(): Promise<void> {
    try {
      await this.#queue.run(() => this.#openLog());
    } catch (error) {
      if (this.#log === null) throw error;
      this.#noteFailure(error);
    }
    this.#upkeep.schedule();
  }

  /** null while it can't take part. */
  get member(): GroupMember | null {
    return this.#member;
  }

  /** As of the last entry here. */
  get members(): Members {
    return this.#log?.members ?? this.#rows.applied.members;
  }

  /** What it is to its group, as of the last entry here. */
  get standing(): Standing {
    return standingIn(this.members, this.self);
  }

  get appliedIndex(): number {
    return this.#rows.applied.index;
  }

  get sending(): readonly Readonly<Sending>[] {
    return this.#states.sending;
  }

  /** Why it takes no part, or can't store what it has applied. */
  get failure(): Error | null {
    return this.#failure ?? this.#rows.failure;
  }

  /** Not while a whole state takes the place of the rows. */
  get isReadable(): boolean {
    return this.#rows.isReadable;
  }

  get(key: Key): Uint8Array | undefined {
    return this.#rows.get(key);
  }

  scan(from: Key, to: Key, limit: number): Row[] {
    return this.#rows.scan(from, to, limit);
  }

  async write(changes: Changes): Promise<void> {
    const member = this.#member;
    if (this.#isAlone && (member === null || this.#rows.failure !== null)) {
      await this.#queue.run(() => this.#writeThrough(changes));
      return;
    }
    if (member === null) throw this.leadership.notLeader();
    try {
      await member.propose(this.#rows.encode(changes));
    } catch (error) {
      this.#rows.proposalFailed();
      throw (this.#isAlone ? this.#failure : null) ?? error;
    }
    this.#upkeep.applied();
  }

  async room(): Promise<Room> {
    const room = await this.#rows.room();
    return { ...room, failure: this.#failure ?? room.failure };
  }

  /** Who is being sent a state needs the entries behind it. */
  async checkpoint(): Promise<void> {
    await this.#rows.checkpoint();
    if (!this.#states.isSending) await this.#member?.compact(Math.min(this.#rows.stored, this.#leastNeeded));
  }

  /** Stores nothing any more, and leaves the storage below open. */
  async abandon(): Promise<void> {
    this.#isClosed = true;
    this.#upkeep.close();
    await this.#queue.run(async () => {
      await this.#closeLog();
      await this.#rows.retire();
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#isClosed = true;
    this.#upkeep.close();
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

  /** Up to where nobody needs the log: a leader keeps what voters lack, as long as that is less than a state. */
  get #leastNeeded(): number {
    if ((this.#log?.bytes ?? 0) > KEPT_SEGMENTS * this.#parts.segmentBytes) return Number.POSITIVE_INFINITY;
    return Math.min(Number.POSITIVE_INFINITY, ...(this.#member?.progress ?? []).map(({ matched }) => matched));
  }

  /** Whether the group has no other member, as far as this one knows. */
  get #isAlone(): boolean {
    return isOnly(this.members, this.self);
  }

  async #openLog(): Promise<void> {
    const { directory, segmentBytes, runtime } = this.#parts;
    const logDirectory = join(directory, 'log');
    await runtime.disk.makeDirectory(logDirectory);
    const settings = { owner: this.self, segmentBytes, cacheBytes: CACHE_BYTES };
    const log = await ReplicationLog.open(logDirectory, this.#rows.applied, settings, runtime);
    const isAlone = isOnly(log.members, this.self);
    if (isAlone && log.damagedUpTo > 0) {
      await log.close();
      throw new Error(
        `the log in ${logDirectory} is damaged: entry ${log.damagedUpTo} was there, and entry ${log.lastIndex + 1} is not whole. ` +
          `Without this folder the metaserver starts with what its database has, up to entry ${this.appliedIndex}`,
      );
    }
    this.#log = log;
    const { index } = this.#rows.applied;
    if (isAlone && log.lastIndex > index) {
      // Alone, whatever the log has is committed.
      this.#rows.apply(await log.read(index + 1, log.lastIndex));
      runtime.log.info('metadata.log_replayed', { entries: log.lastIndex - index });
    }
    const leading = this.#takePart(log);
    if (isAlone) await leading;
    else leading.catch((error: unknown) => this.#noteFailure(error));
  }

  /** Resolves when it leads for the first time. Rejects when the log fails before. */
  #takePart(log: ReplicationLog): Promise<void> {
    const { protocol, transport, runtime } = this.#parts;
    const core = makeCore(protocol, this.self, log.stored, runtime.random);
    return new Promise((resolve, reject) => {
      const member = new GroupMember({
        core,
        log,
        state: this.#rows,
        states: this.#states,
        transport,
        runtime,
        events: {
          servingChanged: (isServing) => {
            if (isServing) {
              this.#failure = null;
              resolve();
            }
            this.#noteServing(member, isServing);
          },
          applied: () => this.#upkeep.applied(),
          failed: (error) => {
            this.#member = null;
            if (error instanceof DivergedError) {
              this.#noteDivergence(error);
              return;
            }
            this.#failure = asError(error);
            this.#noteFailure(error);
            this.#upkeep.schedule();
            reject(error);
          },
        },
        tickMs: TICK_MS,
        electionTimeoutMs: ELECTION_TIMEOUT_MS,
      });
      this.#member = member;
      member.start();
    });
  }

  #noteDivergence(error: DivergedError): void {
    const { runtime, diverged } = this.#parts;
    assert(!this.#isAlone, 'whoever is alone has nobody to differ from');
    this.#failure = error;
    runtime.log.error('replica.diverged', { member: this.self, index: this.appliedIndex, ...errorFields(error) });
    diverged();
  }

  #noteServing(member: GroupMember, isServing: boolean): void {
    const { term } = member.status;
    if (!this.#isAlone) this.#parts.runtime.log.info(isServing ? 'raft.elected' : 'raft.stepped_down', { term });
    this.leadership.changed();
  }

  async #closeLog(): Promise<void> {
    const member = this.#member;
    this.#member = null;
    await member?.stop();
    await this.#log?.close();
    this.#log = null;
    if (member?.isServing) this.leadership.changed();
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
    const isAlone = this.#isAlone;
    if (this.#member === null && isAlone) return this.#writeThrough(NO_CHANGES);
    if (!isAlone) {
      await this.leadership.handOver();
      await this.#closeLog();
    }
    await this.#rows.checkpoint();
    if (this.#member === null) await this.#openLog();
    this.#failure = null;
  }

  #noteFailure(error: unknown): void {
    rethrowProgramFault(error);
    this.#failure ??= this.#member === null ? asError(error) : null;
    this.#parts.runtime.log.error('metadata.take_over_failed', errorFields(error));
  }
}

function isOnly({ voters, learners }: Members, member: MemberId): boolean {
  return voters.length === 1 && voters[0] === member && learners.length === 0;
}
