// A storage whose writes are entries of the log in etcd: a write is durable once etcd has it. The database below follows, as that of
// every other metaserver does.

import type { Key, Row } from '../../namespace/view.js';
import type { Mark } from '../../replication/core/core.js';
import type { MemberId } from '../../replication/core/members.js';
import { asError, errorFields } from '../../runtime/caught-errors.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { BaseStorage, Leadership, Room, Storage } from '../engine/storage.js';
import { AppliedRows } from '../storage/applied-rows.js';
import type { Changes } from '../storage/batch.js';
import type { Progress } from '../storage/progress.js';
import { StorageUpkeep } from '../storage/storage-upkeep.js';
import { WholeStates } from '../storage/whole-states.js';
import { EtcdMember, type EtcdMemberParts } from './etcd-member.js';
import type { ReplicaValue } from './keys.js';
import { LogUpkeep } from './log-upkeep.js';

/** How far the database may lag behind. */
const CHECKPOINT_ROWS = 2048;
const CHECKPOINT_BYTES = 2 * 1024 * 1024;

export interface EtcdStorageParts
  extends Pick<EtcdMemberParts, 'name' | 'logId' | 'log' | 'runtime' | 'lacking' | 'diverged'> {
  base: BaseStorage;
  progress: Progress;
  /** All that are configured. */
  names: readonly string[];
}

export class EtcdStorage implements Storage {
  readonly leadership: Leadership;
  readonly self: MemberId;
  readonly member: EtcdMember;
  readonly states: WholeStates;
  readonly #rows: AppliedRows;
  readonly #upkeep: StorageUpkeep;
  readonly #logUpkeep: LogUpkeep;
  readonly #listeners: (() => void)[] = [];
  /** The bytes of the log up to entries that were applied since the last checkpoint, and the one before. */
  #sizes: ReplicaValue[] = [];
  #closing: Promise<void> | null = null;

  readonly #base: BaseStorage;
  readonly #runtime: Runtime;

  constructor({ base, progress, names, ...parts }: EtcdStorageParts) {
    const { name, log, runtime } = parts;
    this.#base = base;
    this.#runtime = runtime;
    this.self = progress.self;
    this.#rows = new AppliedRows(base, progress);
    this.states = new WholeStates(base, this.#rows, this.self);
    this.#upkeep = new StorageUpkeep({
      clock: runtime.clock,
      isWell: () => this.#rows.failure === null,
      isBehind: () => this.#rows.isBehind,
      mustCheckpoint: () => this.#rows.freshBytes > CHECKPOINT_BYTES || this.#rows.freshRows > CHECKPOINT_ROWS,
      checkpoint: () => this.checkpoint(),
      restart: () => this.checkpoint(),
      failed: (error) => this.#noteFailure(error),
    });
    this.member = new EtcdMember({
      ...parts,
      rows: this.#rows,
      isWell: () => this.#rows.failure === null,
      servingChanged: () => {
        for (const listener of this.#listeners) listener();
      },
      applied: (bytes) => this.#noteApplied(bytes),
    });
    this.#logUpkeep = new LogUpkeep({
      ...{ name, names, log, runtime, member: this.member },
      stored: () => this.#storedValue,
      isSending: () => this.states.isSending,
    });
    this.leadership = leadershipOf(this.member, this.#listeners);
  }

  start(): void {
    this.member.start();
    this.#logUpkeep.start();
    this.#upkeep.schedule();
  }

  get applied(): Mark {
    return this.#rows.applied;
  }

  /** Why the database can't be written; null while it can. */
  get failure(): Error | null {
    return this.#rows.failure;
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
    if (this.member.reign === null) throw this.member.notLeader();
    try {
      await this.member.append(this.#rows.encode(changes));
    } catch (error) {
      this.#rows.proposalFailed();
      throw error;
    }
  }

  room(): Promise<Room> {
    return this.#rows.room();
  }

  checkpoint(): Promise<void> {
    return this.#rows.checkpoint();
  }

  /** Nothing is kept in etcd for that metaserver any more. */
  forget(name: string): Promise<void> {
    return this.#logUpkeep.forget(name);
  }

  /** Takes the whole state of another metaserver in, if it is not older than the own one. */
  async receiveState(mark: Mark, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const received = await this.states.receive(mark, chunks);
    await this.member.replace(async () => {
      const isNeeded = this.member.needsState && mark.index >= this.applied.index && this.#closing === null;
      await (isNeeded ? received.install() : received.discard());
      if (!isNeeded) return false;
      this.#sizes = [];
      this.#runtime.log.info('replication.state_installed', { index: mark.index });
      return true;
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#upkeep.close();
    await this.member.stop();
    await this.#logUpkeep.close();
    try {
      await this.#rows.checkpoint();
    } catch (error) {
      // Nothing is lost: etcd has the entries until this server has noted that it does not need them.
      rethrowProgramFault(error);
      this.#runtime.log.error('metadata.take_over_failed', errorFields(error));
    }
    await this.#base.close();
  }

  #noteApplied(bytes: number): void {
    this.#sizes.push({ index: this.#rows.applied.index, bytes });
    this.#upkeep.applied();
  }

  /** As of the last checkpoint; null while that is one of an earlier process, which has noted it. */
  get #storedValue(): ReplicaValue | null {
    const index = this.#rows.stored;
    const known = this.#sizes.findLast((size) => size.index <= index);
    if (known === undefined) return null;
    this.#sizes = this.#sizes.filter((size) => size.index >= known.index);
    return { index, bytes: known.bytes };
  }

  /** Another metaserver leads until the database can be written again. */
  #noteFailure(error: unknown): void {
    rethrowProgramFault(error);
    this.#runtime.log.error('metadata.take_over_failed', errorFields(asError(error)));
    void this.member.handOver();
  }
}

function leadershipOf(member: EtcdMember, listeners: (() => void)[]): Leadership {
  return {
    get isServing() {
      return member.reign !== null;
    },
    get isCertain() {
      return member.reign?.isCertain ?? false;
    },
    async confirm() {
      const { reign } = member;
      if (reign === null) throw member.notLeader();
      await reign.certainty();
    },
    notLeader: () => member.notLeader(),
    onChange(listener) {
      listeners.push(listener);
    },
    handOver: () => member.handOver(),
  };
}
