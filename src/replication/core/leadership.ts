// What a member does while it leads: it sends entries and heartbeats, counts answers, and commits.
import { assert } from '../../runtime/assert.js';
import type { Content, MemberProgress, MembersRefusal } from './core.js';
import { BY_MAJORITY, type Counting } from './counting.js';
import type { Appended, Heard, LeaderOutbox } from './leader-messages.js';
import { type MemberId, type Members, voterDifference } from './members.js';
import { Progress } from './progress.js';
import type { Replica } from './replica.js';
import type { CoreSettings } from './settings.js';

export class Leadership {
  readonly #others = new Map<MemberId, Progress>();
  #lastRound = 0;
  #confirmedRound = 0;
  #ticksSinceHeartbeat = 0;
  #ticksSinceCheck = 0;
  /** Since when this member waits for its own disk. */
  #ticksOfStoring = 0;
  #storedBefore = 0;
  /** Who is to take over, and for how long it has been waited for. */
  #transfer: { to: MemberId; ticks: number } | null = null;

  readonly #term: number;
  readonly #settings: CoreSettings;
  readonly #replica: Replica;
  readonly #outbox: LeaderOutbox;
  readonly #counting: Counting;

  constructor(
    term: number,
    settings: CoreSettings,
    replica: Replica,
    outbox: LeaderOutbox,
    counting: Counting = BY_MAJORITY,
  ) {
    this.#counting = counting;
    this.#term = term;
    this.#settings = settings;
    this.#replica = replica;
    this.#outbox = outbox;
    this.#membersChanged();
  }

  /** The first entry, and the first heartbeats. */
  begin(): void {
    this.#replica.add(this.#term, { kind: 'nothing' });
    this.startRound();
  }

  get lastRound(): number {
    return this.#lastRound;
  }

  get confirmedRound(): number {
    return this.#confirmedRound;
  }

  get isHandingOver(): boolean {
    return this.#transfer !== null;
  }

  /** Who is to take over, once it has everything. */
  get successor(): MemberId | null {
    const to = this.#transfer?.to;
    return to !== undefined && this.#others.get(to)?.matched === this.#replica.log.lastIndex ? to : null;
  }

  get progress(): MemberProgress[] {
    return [...this.#others].map(([member, { matched, isActive, state }]) => ({
      member,
      matched,
      isActive,
      needsSnapshot: state === 'snapshot',
    }));
  }

  /** Of the other voters one with the longest log, as far as is known. */
  get mostAdvanced(): MemberId | null {
    const matchedBy = (voter: MemberId) => this.#others.get(voter)?.matched ?? 0;
    const others = this.#replica.log.members.voters.filter((voter) => this.#others.has(voter));
    return others.reduce<MemberId | null>(
      (best, voter) => (best === null || matchedBy(voter) > matchedBy(best) ? voter : best),
      null,
    );
  }

  /** @returns the index of the entry; null when it is about to hand over */
  propose(content: Content): number | null {
    return this.isHandingOver ? null : this.#replica.add(this.#term, content);
  }

  /** One change at a time, and none before an entry of its own is committed: section 4.1 of Ongaro's dissertation, as amended. */
  proposeMembers(members: Members): number | MembersRefusal {
    const { log, committed } = this.#replica;
    if (this.isHandingOver) return 'not leader';
    if (!this.#replica.hasCommittedIn(this.#term)) {
      return 'the leader is new: an entry of its own must be committed first';
    }
    if (log.lastChange > committed) return 'a change is under way';
    if (voterDifference(log.members, members) > 1) return 'more than one voter differs';
    if (members.voters.length === 0) return 'no voter would be left';
    return this.setMembers(members);
  }

  /** Without asking whether that is safe. @returns the index of the entry */
  setMembers(members: Members): number {
    const index = this.#replica.add(this.#term, { kind: 'members', members });
    this.#membersChanged();
    return index;
  }

  /** It asks for the whole state. */
  needsState(member: MemberId): void {
    const progress = this.#others.get(member);
    if (progress === undefined || progress.state === 'snapshot') return;
    progress.beginSnapshot();
    this.#outbox.sendSnapshot(member);
  }

  /** Commits what a majority has stored. @returns whether it still leads: a leader that was removed leads until then */
  commit(): boolean {
    const own = this.#outbox.storedUpTo(this.#replica.log.lastIndex);
    const index = this.#counting.committed(this.#replica.log.members, (voter) =>
      voter === this.#settings.self ? own : (this.#others.get(voter)?.matched ?? 0),
    );
    // Entries of earlier terms are committed by one of this term behind them only: section 5.4.2 of the Raft paper.
    if (this.#replica.log.termAt(index) === this.#term) this.#replica.commit(index);
    return this.#replica.isVoter || this.#replica.log.lastChange > this.#replica.committed;
  }

  #membersChanged(): void {
    const { voters, learners } = this.#replica.log.members;
    const all = new Set([...voters, ...learners]);
    all.delete(this.#settings.self);
    for (const member of this.#others.keys()) {
      if (!all.has(member)) this.#others.delete(member);
    }
    for (const member of all) {
      if (this.#others.has(member)) continue;
      this.#others.set(member, new Progress(this.#replica.log.lastIndex + 1, this.#settings.maximumInFlight));
    }
    this.#confirmRound();
    if (this.#transfer !== null && !voters.includes(this.#transfer.to)) this.#transfer = null;
  }

  /** @returns whether it still leads: a quorum answers, and its own disk stores */
  tick(): boolean {
    const { electionTicks, heartbeatTicks } = this.#settings;
    if (++this.#ticksSinceHeartbeat >= heartbeatTicks) this.startRound();
    // The other may have been told and not have heard it yet: it would be elected whatever lease there is.
    if (this.#transfer !== null && ++this.#transfer.ticks >= electionTicks) return false;
    const stored = this.#outbox.storedUpTo(this.#replica.log.lastIndex);
    if (!this.#outbox.isStoring || stored !== this.#storedBefore) this.#ticksOfStoring = 0;
    this.#storedBefore = stored;
    if (++this.#ticksOfStoring > electionTicks) return false;
    if (++this.#ticksSinceCheck < electionTicks) return true;
    this.#ticksSinceCheck = 0;
    const { self } = this.#settings;
    const isHeard = this.#counting.suffices(
      this.#replica.log.members,
      (voter) => voter === self || this.#others.get(voter)?.isActive === true,
    );
    for (const progress of this.#others.values()) progress.isActive = false;
    return isHeard;
  }

  startRound(): number {
    this.#ticksSinceHeartbeat = 0;
    this.#lastRound++;
    const { committed } = this.#replica;
    for (const [to, { matched }] of this.#others) {
      const fields = { committed: Math.min(matched, committed), round: this.#lastRound };
      this.#outbox.sendNow({ kind: 'heartbeat', ...this.#envelope(to), ...fields });
    }
    this.#confirmRound();
    return this.#lastRound;
  }

  /** Sends whatever may be sent by now. */
  sendEntries(): void {
    for (const [to, progress] of this.#others) {
      if (progress.next <= this.#replica.log.mark.index) {
        if (!progress.mayBeginSnapshot) continue;
        progress.beginSnapshot();
        this.#outbox.sendSnapshot(to);
        continue;
      }
      if (progress.mayProbe) {
        this.#sendRange(to, progress.next);
        progress.probed(this.#lastRound);
      }
      while (progress.mayStream && progress.next <= this.#replica.log.lastIndex) {
        progress.streamed(this.#sendRange(to, progress.next));
      }
    }
  }

  heard(message: Heard): void {
    const progress = this.#others.get(message.from);
    if (progress === undefined) return;
    progress.isActive = true;
    progress.heard(message.round);
    this.#confirmRound();
    // What was under way may be lost: an empty message shows where the member is.
    const isInLog = progress.next > this.#replica.log.mark.index;
    if (progress.state === 'streaming' && progress.matched < progress.next - 1 && isInLog) {
      this.#sendRange(message.from, progress.next, progress.next - 1);
    }
  }

  appended(message: Appended): void {
    const { from, isMatch, index, hint } = message;
    const progress = this.#others.get(from);
    if (progress === undefined) return;
    progress.isActive = true;
    if (!isMatch) progress.mismatch(index, hint, this.#replica.log);
    else if (index <= this.#replica.log.lastIndex) progress.match(index);
  }

  beginTransfer(to: MemberId): boolean {
    if (this.#transfer !== null || !this.#replica.log.members.voters.includes(to) || !this.#others.has(to))
      return false;
    this.#transfer = { to, ticks: 0 };
    return true;
  }

  snapshotEnded(member: MemberId): void {
    this.#others.get(member)?.endSnapshot();
  }

  #confirmRound(): void {
    const { self } = this.#settings;
    const heardBy = (voter: MemberId) =>
      voter === self ? this.#lastRound : (this.#others.get(voter)?.heardRound ?? 0);
    this.#confirmedRound = this.#counting.confirmed(this.#replica.log.members, heardBy);
  }

  /** @returns the last entry that is sent */
  #sendRange(to: MemberId, first: number, atMost = Number.POSITIVE_INFINITY): number {
    const previousTerm = this.#replica.log.termAt(first - 1);
    const last = Math.min(atMost, this.#replica.log.lastWithin(first, this.#settings.maximumAppendBytes));
    assert(previousTerm !== undefined, 'what is sent follows what the log has');
    this.#outbox.sendNow({
      kind: 'append',
      ...this.#envelope(to),
      previousIndex: first - 1,
      previousTerm,
      first,
      last,
      committed: this.#replica.committed,
    });
    return last;
  }

  #envelope(to: MemberId) {
    return { from: this.#settings.self, to, term: this.#term };
  }
}
