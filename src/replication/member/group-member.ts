// A member of a group: a core, its log and its state, and whoever carries its messages. It is the only part of the replication that
// waits for anything. What the core wants stored is stored in order, one batch after the other; what comes meanwhile joins the next
// batch.
import { ServiceError } from '../../protocol/errors.js';
import { assert } from '../../runtime/assert.js';
import { errorFields } from '../../runtime/caught-errors.js';
import type { Timer } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import { SerialQueue } from '../../runtime/serial-queue.js';
import type { Core, CoreStatus, Entry, Envelope, Mark, Outgoing, Writes } from '../core/core.js';
import type { MemberId, Members } from '../core/members.js';
import type { ReplicationLog } from '../log/replication-log.js';
import { Lease } from './lease.js';
import { Proposals } from './proposals.js';
import type { ReceivedState, StateMachine, States } from './state-machine.js';
import type { Message, Transport } from './transport.js';

/** Entries are read from the log and applied so many at a time. */
const APPLY_AT_ONCE = 64;

export interface MemberEvents {
  /** It leads now, and may answer, or it does not any more. */
  servingChanged(isServing: boolean): void;
  /** The log can't be written: the member has stopped, and must be opened anew. */
  failed(error: unknown): void;
}

export interface MemberParts {
  self: MemberId;
  core: Core;
  log: ReplicationLog;
  state: StateMachine;
  /** Not needed by a group of one. */
  states?: States;
  transport: Transport;
  runtime: Runtime;
  events: MemberEvents;
  tickMs: number;
  /** The shortest time without a leader after which a member asks for votes. */
  electionTimeoutMs: number;
}

export class GroupMember {
  readonly #proposals = new Proposals();
  readonly #lease: Lease;
  /** Everything that writes the log. */
  readonly #writing = new SerialQueue();
  #isStoring = false;
  #isApplying = false;
  #isServing = false;
  #isStopped = false;
  #timer: Timer | null = null;
  /** Wait for a round of heartbeats that a quorum answers. */
  #roundWaiters: { round: number; resolve: () => void; reject: (error: ServiceError) => void }[] = [];
  #received: ReceivedState | null = null;

  readonly #parts: MemberParts;

  constructor(parts: MemberParts) {
    this.#parts = parts;
    this.#lease = new Lease(parts.runtime.clock, parts.electionTimeoutMs);
  }

  get status(): CoreStatus {
    return this.#parts.core.status;
  }

  start(): void {
    this.#advance();
  }

  /** Resolves when nothing is written any more. What was proposed and not applied has an unknown outcome. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#abandon('the server is stopping');
    await this.#writing.idle();
    await this.#received?.discard();
  }

  receive(message: Message): void {
    if (this.#isStopped) return;
    this.#parts.core.step(message);
    this.#advance();
  }

  /** Another member sends its state. Resolves when it was installed or is not needed. */
  async receiveState(from: MemberId, term: number, mark: Mark, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const received = await this.#states.receive(mark, chunks);
    if (this.#isStopped || this.#received !== null) {
      await received.discard();
      return;
    }
    this.#received = received;
    this.#parts.core.snapshotArrived(from, term, mark);
    this.#advance();
    await this.#writing.idle();
    if (this.#received === received) {
      this.#received = null;
      await received.discard();
    }
  }

  /** Resolves when the data is applied here. Rejects with NOT_LEADER when nothing was done, with OUTCOME_UNKNOWN otherwise. */
  async propose(data: Uint8Array): Promise<void> {
    const index = this.#isStopped ? null : this.#parts.core.propose(data, data.length);
    if (index === null) throw this.#notLeader();
    const applied = this.#proposals.wait(index, this.status.term);
    this.#advance();
    await applied;
  }

  /** Resolves when this member knows that it led at some moment since the call. */
  async confirmLeadership(): Promise<void> {
    if (!this.#isServing) throw this.#notLeader();
    if (this.#lease.isValid) return;
    const round = this.#parts.core.startRound();
    const confirmed = new Promise<void>((resolve, reject) => this.#roundWaiters.push({ round, resolve, reject }));
    this.#advance();
    await confirmed;
  }

  /** Resolves when the group has the members. */
  async changeMembers(members: Members): Promise<void> {
    const index = this.#isStopped ? 'not leader' : this.#parts.core.proposeMembers(members);
    if (index === 'not leader') throw this.#notLeader();
    if (typeof index === 'string') throw new ServiceError('REFUSED', index);
    const applied = this.#proposals.wait(index, this.status.term);
    this.#advance();
    await applied;
  }

  /** @returns whether a transfer was begun */
  transfer(to: MemberId): boolean {
    const isBegun = this.#parts.core.transfer(to);
    this.#advance();
    return isBegun;
  }

  /** The state is on stable storage up to `index`: the log need not have it any more. */
  async compact(index: number): Promise<void> {
    await this.#writing.run(async () => {
      if (this.#isStopped) return;
      this.#parts.core.compact(await this.#parts.log.compact(index));
    });
  }

  get #states(): States {
    const { states } = this.#parts;
    assert(states !== undefined, 'a group of several has states to send');
    return states;
  }

  #notLeader(): ServiceError {
    const { leader } = this.status;
    return new ServiceError('NOT_LEADER', leader === null ? 'no leader is known' : `${leader} leads`);
  }

  /** Time matters to those who wait for others: not to a leader that is alone. */
  #schedule({ role, members }: CoreStatus): void {
    const { runtime, tickMs, core } = this.#parts;
    const isAlone = role === 'leader' && members.voters.length + members.learners.length === 1;
    if (this.#timer !== null || this.#isStopped || isAlone) return;
    this.#timer = runtime.clock.after(tickMs, () => {
      this.#timer = null;
      core.tick();
      this.#advance();
    });
  }

  /** Does what the core wants done. */
  #advance(): void {
    if (this.#isStopped) return;
    const { core } = this.#parts;
    this.#send();
    if (!this.#isStoring) {
      const writes = core.takeWrites();
      if (writes !== null) this.#storeInBackground(writes);
    }
    this.#applyInBackground();
  }

  #noteStatus(): void {
    const { status } = this;
    const { isServing, confirmedRound } = status;
    this.#schedule(status);
    if (isServing) this.#lease.confirmed(confirmedRound);
    for (const waiter of this.#roundWaiters.filter(({ round }) => round <= confirmedRound)) waiter.resolve();
    this.#roundWaiters = this.#roundWaiters.filter(({ round }) => round > confirmedRound);
    // A leader serves once all that earlier leaders have committed is applied here.
    const mayServe = isServing && this.#parts.state.applied.index >= status.applicable;
    if (mayServe === this.#isServing || (isServing && this.#isServing)) return;
    this.#isServing = mayServe;
    if (!mayServe) this.#abandon('another server leads now');
    this.#parts.events.servingChanged(mayServe);
  }

  #abandon(why: string): void {
    this.#lease.end();
    this.#proposals.abandon(why);
    const waiters = this.#roundWaiters;
    this.#roundWaiters = [];
    for (const { reject } of waiters) reject(this.#notLeader());
  }

  #send(): void {
    const { core, transport, runtime } = this.#parts;
    const { lastRound, term } = core.status;
    if (lastRound > 0) this.#lease.began(lastRound);
    const { messages, snapshotsFor } = core.takeSends();
    for (const message of messages) this.#post(message);
    for (const to of snapshotsFor) {
      const { mark, chunks } = this.#states.snapshot();
      transport
        .sendState(to, term, mark, chunks)
        .catch((error: unknown) => {
          rethrowProgramFault(error);
          runtime.log.warn('replication.state_not_sent', { to, ...errorFields(error) });
        })
        .finally(() => {
          core.snapshotEnded(to);
          this.#advance();
        });
    }
  }

  /** Adds the entries that the message names. */
  #post(message: Outgoing<Envelope>): void {
    const { log, transport, runtime } = this.#parts;
    if (!('first' in message)) {
      transport.send(message);
      return;
    }
    const { first, last, ...fields } = message as Envelope & { first: number; last: number };
    const entries = this.#entriesNow(first, last);
    if (entries !== undefined) {
      transport.send({ ...fields, entries });
      return;
    }
    // Compacted or replaced meanwhile: the message is as good as lost.
    if (!log.has(first) || !log.has(last)) return;
    log.read(first, last).then(
      (read) => transport.send({ ...fields, entries: read }),
      (error: unknown) => {
        rethrowProgramFault(error);
        runtime.log.warn('replication.log_unread', { first, last, ...errorFields(error) });
      },
    );
  }

  /** undefined when not all of them are in memory. */
  #entriesNow(first: number, last: number): Entry[] | undefined {
    const { core, log } = this.#parts;
    const entries: Entry[] = [];
    for (let index = first; index <= last; index++) {
      const entry = core.unstored(index) ?? log.cached(index);
      if (entry === undefined) return undefined;
      entries.push(entry);
    }
    return entries;
  }

  #storeInBackground(writes: Writes<Envelope>): void {
    this.#isStoring = true;
    const { core } = this.#parts;
    this.#writing
      .run(() => this.#store(writes))
      .then(
        () => {
          core.stored();
          this.#isStoring = false;
          if (this.#isStopped) return;
          for (const message of writes.afterwards) this.#post(message);
          this.#advance();
        },
        (error: unknown) => this.#fail(error),
      );
  }

  async #store({ install, hardState, entries }: Writes<Envelope>): Promise<void> {
    const { log } = this.#parts;
    if (install !== null) {
      const received = this.#received;
      assert(received !== null && received.mark.index === install.index, 'what is installed was received');
      await received.install();
      this.#received = null;
      await log.reset(install, hardState);
      if (entries.length > 0) await log.append(null, entries);
    } else if (hardState !== null || entries.length > 0) {
      await log.append(hardState, entries);
    }
  }

  #applyInBackground(): void {
    const { state, core } = this.#parts;
    const { applicable } = core.status;
    while (!this.#isApplying && state.applied.index < applicable) {
      const first = state.applied.index + 1;
      const last = Math.min(applicable, first + APPLY_AT_ONCE - 1);
      const entries = this.#entriesNow(first, last);
      if (entries === undefined) {
        this.#isApplying = true;
        void this.#applyFromDisk(first, last);
      } else {
        this.#apply(entries);
      }
    }
    this.#noteStatus();
  }

  async #applyFromDisk(first: number, last: number): Promise<void> {
    try {
      const entries = await this.#parts.log.read(first, last);
      if (this.#parts.state.applied.index === first - 1) this.#apply(entries);
      this.#isApplying = false;
      this.#advance();
    } catch (error) {
      this.#fail(error);
    }
  }

  #apply(entries: readonly Entry[]): void {
    const { state, log } = this.#parts;
    state.apply(entries);
    for (const entry of entries) this.#proposals.applied(entry);
    if (log.damagedUpTo === 0 || state.applied.index < log.damagedUpTo) return;
    this.#writing.run(() => log.heal()).catch((error: unknown) => this.#fail(error));
  }

  /** Nothing is written any more. */
  #fail(error: unknown): void {
    rethrowProgramFault(error);
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#abandon('its log failed');
    if (this.#isServing) this.#parts.events.servingChanged(false);
    this.#isServing = false;
    this.#parts.events.failed(error);
  }
}
