// A member of a group: a core, its log and its state, and whoever carries its messages. It is the only part of the replication that
// waits for anything. What the core wants stored is stored in order, one batch after the other; what comes meanwhile joins the next
// batch.
import { ServiceError } from '../../protocol/errors.js';
import { assert } from '../../runtime/assert.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { endOfTurn, type Timer } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import { SerialQueue } from '../../runtime/serial-queue.js';
import type { CoreStatus, Entry, Envelope, Mark, MemberProgress, Writes } from '../core/core.js';
import type { MemberId, Members } from '../core/members.js';
import { EntrySender } from './entry-sender.js';
import { Freshness } from './freshness.js';
import { Lags } from './lags.js';
import { Lease } from './lease.js';
import type { MemberParts } from './member-parts.js';
import { Proposals } from './proposals.js';
import { RoundWaiters } from './round-waiters.js';
import type { ReceivedState, States } from './state-machine.js';
import type { Message } from './transport.js';

/** Entries are read from the log and applied so many at a time. */
const APPLY_AT_ONCE = 64;

export class GroupMember {
  readonly #proposals = new Proposals();
  readonly #rounds = new RoundWaiters();
  readonly #lease: Lease;
  readonly #freshness: Freshness;
  readonly #lags: Lags;
  /** Everything that writes the log. */
  readonly #writing = new SerialQueue();
  #isStoring = false;
  /** What the core wants done is done at the end of this turn of the event loop. */
  #isDue = false;
  #isApplying = false;
  #isServing = false;
  /** It leads a group of one. */
  #isAlone = false;
  #isStopped = false;
  #timer: Timer | null = null;
  #received: ReceivedState | null = null;

  readonly #sender: EntrySender;
  readonly #parts: MemberParts;

  constructor(parts: MemberParts) {
    this.#parts = parts;
    this.#sender = new EntrySender(parts);
    this.#freshness = new Freshness(parts.runtime.clock);
    this.#lags = new Lags(parts.runtime.clock);
    this.#lease = new Lease(parts.runtime.clock, parts.electionTimeoutMs);
  }

  get isServing(): boolean {
    return this.#isServing;
  }

  /** Of the leader: how far the others are. */
  get progress(): readonly MemberProgress[] {
    return this.#parts.core.progress;
  }

  get status(): CoreStatus {
    return this.#parts.core.status;
  }

  /** Of the leader: for how long each of the others may lack what is committed, milliseconds. */
  get lags(): readonly { id: MemberId; ms: number }[] {
    return this.#lags.all;
  }

  /** For how long it has not applied what it has heard to be committed, or not heard of the leader, milliseconds: 0 for the leader. */
  get behindMs(): number {
    return this.status.role === 'leader' ? 0 : this.#freshness.behindMs;
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
    if (message.from === this.status.leader) this.#freshness.heard();
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
    this.#work();
    // What is being stored comes first; what is stored after that includes the state, unless it is not needed.
    do await this.#writing.idle();
    while (this.#isStoring && !this.#isStopped);
    if (this.#received === received) {
      this.#received = null;
      await received.discard();
    }
  }

  /** Resolves when the data is applied here. Rejects with NOT_LEADER when nothing was done, with OUTCOME_UNKNOWN otherwise. */
  async propose(data: Uint8Array): Promise<void> {
    await this.#applied(this.#isStopped ? null : this.#parts.core.propose(data, data.length));
  }

  /** Whether this member leads now, for sure. */
  get leads(): boolean {
    return this.#isServing && (this.#isAlone || this.#lease.isValid);
  }

  /**
   * Resolves when this member knows that it led at some moment since the call.
   * @param byRound asks the others, even while the lease says enough
   */
  async confirmLeadership({ byRound = false }: { byRound?: boolean } = {}): Promise<void> {
    if (!this.#isServing) throw this.#notLeader();
    if (byRound ? this.#isAlone : this.leads) return;
    const confirmed = this.#rounds.wait(this.#parts.core.startRound());
    this.#advance();
    await confirmed;
  }

  /** Resolves when the group has the members. */
  async changeMembers(members: Members): Promise<void> {
    const index = this.#isStopped ? 'not leader' : this.#parts.core.proposeMembers(members);
    if (typeof index === 'string' && index !== 'not leader') throw new ServiceError('REFUSED', index);
    await this.#applied(index === 'not leader' ? null : index);
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

  /** @param index of an entry that was proposed just now; null when this is not the leader */
  async #applied(index: number | null): Promise<void> {
    if (index === null) throw this.#notLeader();
    const applied = this.#proposals.wait(index, this.status.term);
    this.#advance();
    await applied;
  }

  #notLeader(): ServiceError {
    const { leader } = this.status;
    return new ServiceError('NOT_LEADER', leader === null ? 'no leader is known' : `${leader} leads`);
  }

  /** Time matters to those who wait for others: not to a leader that is alone. */
  #schedule({ role, members }: CoreStatus): void {
    const { runtime, tickMs, core } = this.#parts;
    this.#isAlone = role === 'leader' && members.voters.length + members.learners.length === 1;
    if (this.#timer !== null || this.#isStopped || this.#isAlone) return;
    this.#timer = runtime.clock.after(tickMs, () => {
      this.#timer = null;
      core.tick();
      this.#advance();
      this.#lookAtFollowers();
    });
  }

  #lookAtFollowers(): void {
    const { role, committed } = this.status;
    if (role === 'leader') this.#lags.look(this.progress, committed);
    else this.#lags.clear();
  }

  /** Has done what the core wants done, once for all that comes in this turn: what many have proposed is sent and stored together. */
  #advance(): void {
    if (this.#isStopped) return;
    this.#noteRound();
    this.#noteStatus();
    if (this.#isDue) return;
    this.#isDue = true;
    this.#parts.runtime.clock.afterTurn(() => this.#work());
  }

  #work(): void {
    this.#isDue = false;
    if (this.#isStopped) return;
    this.#send();
    if (!this.#isStoring) this.#storeInBackground();
    this.#applyInBackground();
  }

  #noteStatus(): void {
    const { status } = this;
    const { isServing, confirmedRound } = status;
    this.#schedule(status);
    if (isServing) this.#lease.confirmed(confirmedRound);
    if (status.role === 'leader') this.#freshness.heard();
    if (this.#parts.state.applied.index >= status.committed) this.#freshness.isCurrent();
    this.#rounds.confirmed(confirmedRound);
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
    this.#rounds.abandon(this.#notLeader());
  }

  /** Before its messages are sent. */
  #noteRound(): void {
    const { lastRound } = this.status;
    if (lastRound > 0) this.#lease.began(lastRound);
  }

  #send(): void {
    const { core, runtime } = this.#parts;
    this.#noteRound();
    const { term } = core.status;
    const { messages, snapshotsFor } = core.takeSends();
    for (const message of messages) this.#sender.post(message);
    for (const to of snapshotsFor) {
      this.#sendState(to, term)
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

  async #sendState(to: MemberId, term: number): Promise<void> {
    const { mark, chunks } = this.#states.snapshot(to);
    try {
      await this.#parts.transport.sendState(to, term, mark, chunks);
    } finally {
      await chunks.return?.();
    }
  }

  #storeInBackground(): void {
    const { core } = this.#parts;
    const writes = core.takeWrites();
    if (writes === null) return;
    this.#isStoring = true;
    this.#writing
      .run(async () => {
        // A disk that is quick holds up the event loop: messages and answers go first.
        if (!this.#isAlone) await endOfTurn(this.#parts.runtime.clock);
        await this.#store(writes);
      })
      .then(
        () => {
          core.stored();
          this.#isStoring = false;
          if (this.#isStopped) return;
          for (const message of writes.afterwards) this.#sender.post(message);
          this.#work();
        },
        (error: unknown) => this.#fail(error),
      );
  }

  async #store({ install, hardState, entries }: Writes<Envelope>): Promise<void> {
    const { log } = this.#parts;
    if (install !== null) {
      const received = this.#received;
      assert(received !== null && received.mark.index === install.index, 'what is installed was received');
      this.#received = null;
      await received.install();
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
      const entries = this.#sender.inMemory(first, last);
      if (entries === undefined) {
        this.#isApplying = true;
        void this.#applyFromDisk(first, last);
      } else {
        try {
          this.#apply(entries);
        } catch (error) {
          this.#fail(error);
          return;
        }
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
    this.#parts.events.applied();
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
    const wasServing = this.#isServing;
    this.#isServing = false;
    if (wasServing) this.#parts.events.servingChanged(false);
    this.#parts.events.failed(error);
  }
}
