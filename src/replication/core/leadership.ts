// What a member does while it leads: it sends entries and heartbeats, counts answers, and commits.
import { assert } from '../../runtime/assert.js';
import type { MemberProgress } from './core.js';
import type { Appended, Heard, LeaderOutbox } from './leader-messages.js';
import type { LogShape } from './log-shape.js';
import { isMajority, type MemberId, reachedByMajority } from './members.js';
import { Progress } from './progress.js';
import type { CoreSettings } from './settings.js';

export class Leadership {
  readonly #others = new Map<MemberId, Progress>();
  #lastRound = 0;
  #ticksSinceHeartbeat = 0;
  #ticksSinceCheck = 0;
  /** Since when this member waits for its own disk. */
  #ticksOfStoring = 0;
  #storedBefore = 0;
  /** Who is to take over, and for how long it has been waited for. */
  #transfer: { to: MemberId; ticks: number } | null = null;

  readonly #term: number;
  readonly #settings: CoreSettings;
  readonly #log: LogShape;
  readonly #outbox: LeaderOutbox;

  constructor(term: number, settings: CoreSettings, log: LogShape, outbox: LeaderOutbox) {
    this.#term = term;
    this.#settings = settings;
    this.#log = log;
    this.#outbox = outbox;
    this.membersChanged();
  }

  get lastRound(): number {
    return this.#lastRound;
  }

  get confirmedRound(): number {
    return reachedByMajority(this.#log.members, (voter) =>
      voter === this.#settings.self ? this.#lastRound : (this.#others.get(voter)?.heardRound ?? 0),
    );
  }

  get isHandingOver(): boolean {
    return this.#transfer !== null;
  }

  /** Who is to take over, once it has everything. */
  get successor(): MemberId | null {
    const to = this.#transfer?.to;
    return to !== undefined && this.#others.get(to)?.matched === this.#log.lastIndex ? to : null;
  }

  get progress(): MemberProgress[] {
    return [...this.#others].map(([member, { matched, isActive, state }]) => ({
      member,
      matched,
      isActive,
      needsSnapshot: state === 'snapshot',
    }));
  }

  /** What a majority has stored and may be committed; at least `committed`. */
  committable(committed: number): number {
    const own = this.#outbox.storedUpTo(this.#log.lastIndex);
    const index = reachedByMajority(this.#log.members, (voter) =>
      voter === this.#settings.self ? own : (this.#others.get(voter)?.matched ?? 0),
    );
    // Entries of earlier terms are committed by one of this term behind them only: section 5.4.2 of the Raft paper.
    return index > committed && this.#log.termAt(index) === this.#term ? index : committed;
  }

  membersChanged(): void {
    const { voters, learners } = this.#log.members;
    const all = new Set([...voters, ...learners]);
    all.delete(this.#settings.self);
    for (const member of this.#others.keys()) {
      if (!all.has(member)) this.#others.delete(member);
    }
    for (const member of all) {
      if (this.#others.has(member)) continue;
      this.#others.set(member, new Progress(this.#log.lastIndex + 1, this.#settings.maximumInFlight));
    }
    if (this.#transfer !== null && !voters.includes(this.#transfer.to)) this.#transfer = null;
  }

  /** @returns whether it still leads: a quorum answers, and its own disk stores */
  tick(committed: number): boolean {
    const { electionTicks, heartbeatTicks } = this.#settings;
    if (++this.#ticksSinceHeartbeat >= heartbeatTicks) this.startRound(committed);
    // The other may have been told and not have heard it yet: it would be elected whatever lease there is.
    if (this.#transfer !== null && ++this.#transfer.ticks >= electionTicks) return false;
    const stored = this.#outbox.storedUpTo(this.#log.lastIndex);
    if (!this.#outbox.isStoring || stored !== this.#storedBefore) this.#ticksOfStoring = 0;
    this.#storedBefore = stored;
    if (++this.#ticksOfStoring > electionTicks) return false;
    if (++this.#ticksSinceCheck < electionTicks) return true;
    this.#ticksSinceCheck = 0;
    const { self } = this.#settings;
    const isHeard = isMajority(
      this.#log.members,
      (voter) => voter === self || this.#others.get(voter)?.isActive === true,
    );
    for (const progress of this.#others.values()) progress.isActive = false;
    return isHeard;
  }

  startRound(committed: number): number {
    this.#ticksSinceHeartbeat = 0;
    this.#lastRound++;
    for (const [to, { matched }] of this.#others) {
      const fields = { committed: Math.min(matched, committed), round: this.#lastRound };
      this.#outbox.sendNow({ kind: 'heartbeat', ...this.#envelope(to), ...fields });
    }
    return this.#lastRound;
  }

  /** Sends whatever may be sent by now. */
  sendEntries(committed: number): void {
    for (const [to, progress] of this.#others) {
      if (progress.next <= this.#log.mark.index) {
        if (!progress.mayBeginSnapshot) continue;
        progress.beginSnapshot();
        this.#outbox.sendSnapshot(to);
        continue;
      }
      if (progress.mayProbe) {
        this.#sendRange(to, progress.next, committed);
        progress.probed();
      }
      while (progress.mayStream && progress.next <= this.#log.lastIndex) {
        progress.streamed(this.#sendRange(to, progress.next, committed));
      }
    }
  }

  heard(message: Heard, committed: number): void {
    const progress = this.#others.get(message.from);
    if (progress === undefined) return;
    progress.isActive = true;
    progress.heardRound = Math.max(progress.heardRound, message.round);
    progress.heard();
    // What was under way may be lost: an empty message shows where the member is.
    const isInLog = progress.next > this.#log.mark.index;
    if (progress.state === 'streaming' && progress.matched < progress.next - 1 && isInLog) {
      this.#sendRange(message.from, progress.next, committed, progress.next - 1);
    }
  }

  appended(message: Appended): void {
    const { from, isMatch, index, hint } = message;
    const progress = this.#others.get(from);
    if (progress === undefined) return;
    progress.isActive = true;
    if (!isMatch) progress.mismatch(index, hint, this.#log);
    else if (index <= this.#log.lastIndex) progress.match(index);
  }

  beginTransfer(to: MemberId): boolean {
    if (this.#transfer !== null || !this.#log.members.voters.includes(to) || !this.#others.has(to)) return false;
    this.#transfer = { to, ticks: 0 };
    return true;
  }

  snapshotEnded(member: MemberId): void {
    this.#others.get(member)?.endSnapshot();
  }

  /** @returns the last entry that is sent */
  #sendRange(to: MemberId, first: number, committed: number, atMost = Number.POSITIVE_INFINITY): number {
    const previousTerm = this.#log.termAt(first - 1);
    const last = Math.min(atMost, this.#log.lastWithin(first, this.#settings.maximumAppendBytes));
    assert(previousTerm !== undefined, 'what is sent follows what the log has');
    this.#outbox.sendNow({
      kind: 'append',
      ...this.#envelope(to),
      previousIndex: first - 1,
      previousTerm,
      first,
      last,
      committed,
    });
    return last;
  }

  #envelope(to: MemberId) {
    return { from: this.#settings.self, to, term: this.#term };
  }
}
