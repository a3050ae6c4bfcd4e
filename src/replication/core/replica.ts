// The log of one member, and up to where it is committed: what a follower does with what its leader sends, in every protocol that
// has a leader.
import { assert } from '../../runtime/assert.js';
import type { Content, CoreStatus, Entry, Mark, Role, StoredState } from './core.js';
import type { Append, Heartbeat, LeaderMessage, LeaderOutbox, Snapshot } from './leader-messages.js';
import { LogShape } from './log-shape.js';
import type { MemberId } from './members.js';

export interface Standing {
  readonly role: Role;
  readonly term: number;
  readonly leader: MemberId | null;
  /** While it leads. */
  readonly leadership: {
    readonly confirmedRound: number;
    readonly lastRound: number;
    readonly isHandingOver: boolean;
  } | null;
}

export class Replica {
  readonly log: LogShape;
  #committed: number;

  readonly #self: MemberId;
  readonly #outbox: LeaderOutbox;
  readonly #damagedUpTo: number;
  /** Another member may lead its term. */
  readonly #wasLed: boolean;

  constructor(self: MemberId, stored: StoredState, outbox: LeaderOutbox) {
    this.log = new LogShape(stored.mark);
    for (const entry of stored.entries) this.log.put(entry);
    this.#self = self;
    this.#damagedUpTo = stored.damagedUpTo;
    const { vote } = stored.hardState;
    // A log that is begun anew says nothing of votes, nor of anybody else.
    this.#wasLed = vote !== self && this.log.lastIndex > stored.mark.index;
    // Alone, whatever is stored is committed. What a damaged log has lost may say that there are other voters.
    const isAlone = this.isOnlyVoter && this.log.lastIndex >= stored.damagedUpTo;
    this.#committed = isAlone ? this.log.lastIndex : stored.mark.index;
    this.#outbox = outbox;
  }

  get committed(): number {
    return this.#committed;
  }

  get isVoter(): boolean {
    return this.log.members.voters.includes(this.#self);
  }

  get isOnlyVoter(): boolean {
    return this.isVoter && this.log.members.voters.length === 1;
  }

  /**
   * Whether it leads without having been silent before: it is alone, and led its term itself. Another member that has left it alone
   * may answer reads for a while yet, by a lease that counts on who has heard of it, also after a restart.
   */
  get leadsFromStart(): boolean {
    return this.isOnlyVoter && this.mayElect && !this.#wasLed;
  }

  /** Whether it may help to choose a leader: not while its log lacks what it may have acknowledged. */
  get mayElect(): boolean {
    return this.#committed >= this.#damagedUpTo;
  }

  /**
   * Whether it may have a leader chosen. A member whose removal is not committed may be the only one that has it in its log:
   * section 4.2.2 of Ongaro's dissertation. Its own vote does not count. All changes before the last one in a log are committed,
   * though a member that was restarted does not know it.
   */
  get mayCampaign(): boolean {
    if (!this.mayElect) return false;
    if (this.isVoter) return true;
    const { lastChange } = this.log;
    return lastChange > this.#committed && this.log.membersAt(lastChange - 1).voters.includes(this.#self);
  }

  hasCommittedIn(term: number): boolean {
    return this.log.termAt(this.#committed) === term;
  }

  status({ role, term, leader, leadership }: Standing): CoreStatus {
    return {
      role,
      term,
      leader,
      lastIndex: this.log.lastIndex,
      committed: this.#committed,
      applicable: Math.min(this.#committed, this.#outbox.storedUpTo(this.log.lastIndex)),
      members: this.log.members,
      confirmedRound: leadership?.confirmedRound ?? 0,
      lastRound: leadership?.lastRound ?? 0,
      isServing: leadership !== null && !leadership.isHandingOver && this.hasCommittedIn(term),
    };
  }

  /** Takes what the leader of its own term sends, and answers once it is stored. */
  append(message: Append): void {
    const { from, to, term, previousIndex, previousTerm, entries } = message;
    const matched = this.take(previousIndex, previousTerm, entries);
    if (matched === null) {
      this.#refuse(message, previousIndex, previousTerm);
      return;
    }
    this.commit(Math.min(message.committed, matched));
    const hint = { index: matched, term: previousTerm };
    this.#outbox.sendAfterwards({ kind: 'appended', from: to, to: from, term, isMatch: true, index: matched, hint });
  }

  /** The leader of its own term is there. */
  heartbeat(message: Heartbeat): void {
    const { from, to, term, committed, round } = message;
    this.commit(Math.min(committed, this.log.lastIndex));
    this.#outbox.sendNow({ kind: 'heard', from: to, to: from, term, round });
    // The leader names only what this member has acknowledged: damage has taken it since.
    if (committed > this.log.lastIndex) this.#refuse(message, committed, term);
  }

  /**
   * Entries that follow the previous one replace what differs from them.
   * @returns the last entry that is now known to be the sender's; null when the previous one is another here
   */
  take(previousIndex: number, previousTerm: number, entries: readonly Entry[]): number | null {
    const isCommitted = previousIndex < this.#committed;
    if (!isCommitted && this.log.termAt(previousIndex) !== previousTerm) return null;
    for (const entry of entries) {
      const present = this.log.termAt(entry.index);
      if (present === entry.term || entry.index <= this.log.mark.index) continue;
      assert(entry.index > this.#committed, 'what is committed is never replaced');
      this.#put(entry);
    }
    const matched = previousIndex + entries.length;
    // What is committed is the same everywhere, and may be compacted here.
    return isCommitted ? Math.max(matched, this.#committed) : matched;
  }

  /** The leader of its own term has sent the state: it is installed if it is news, and answered. */
  takeState(message: Snapshot): void {
    const { from, to, term, mark } = message;
    this.install(mark);
    const index = this.#committed;
    const hint = { index, term: this.log.termAt(index) ?? mark.term };
    this.#outbox.sendAfterwards({ kind: 'appended', from: to, to: from, term, isMatch: true, index, hint });
  }

  install(mark: Mark): void {
    if (mark.index <= this.#committed) return;
    if (this.log.termAt(mark.index) !== mark.term) {
      this.log.install(mark);
      this.#outbox.install(mark);
    }
    this.commit(mark.index);
  }

  /** A leader's own entry. */
  add(term: number, content: Content): number {
    const entry = { index: this.log.lastIndex + 1, term, content };
    this.#put(entry);
    return entry.index;
  }

  commit(index: number): void {
    if (index <= this.#committed) return;
    assert(index <= this.log.lastIndex, 'what is committed is in the log');
    this.#committed = index;
  }

  compact(index: number): void {
    assert(index <= this.#committed, 'only what is committed is compacted');
    if (index > this.log.mark.index) this.log.compact(index);
  }

  /** To a leader of an earlier term, which learns this one. */
  refuseAll(to: MemberId, term: number): void {
    const { lastIndex: index, lastTerm } = this.log;
    const hint = { index, term: lastTerm };
    this.#outbox.sendNow({ kind: 'appended', from: this.#self, to, term, isMatch: false, index, hint });
  }

  /** The entry of this index and term is not in the log; one before it may be the leader's too. */
  #refuse({ from, to, term }: LeaderMessage, index: number, indexTerm: number): void {
    const hint = this.log.lastUpTo(index, indexTerm);
    this.#outbox.sendNow({ kind: 'appended', from: to, to: from, term, isMatch: false, index, hint });
  }

  #put(entry: Entry): void {
    this.log.put(entry);
    this.#outbox.put(entry);
  }
}
