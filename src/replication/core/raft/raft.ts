// Raft, as in «In Search of an Understandable Consensus Algorithm» (Ongaro and Ousterhout), with pre-vote, check-quorum,
// leadership transfer, learners, and changes of one member at a time from Ongaro's dissertation, chapters 3, 4 and 9.
import { assert } from '../../../runtime/assert.js';
import type {
  Content,
  Core,
  CoreStatus,
  Entry,
  Mark,
  MembersRefusal,
  Role,
  Sends,
  StoredState,
  Writes,
} from '../core.js';
import { LogShape } from '../log-shape.js';
import { isMajority, type MemberId, type Members, voterDifference } from '../members.js';
import { Outbox } from '../outbox.js';
import { Leadership } from './leadership.js';
import type { Append, AskVote, Heartbeat, RaftMessage, Vote } from './messages.js';
import type { RaftSettings } from './settings.js';

export class Raft implements Core<RaftMessage> {
  #term: number;
  #vote: MemberId | null;
  #committed: number;
  #leader: MemberId | null = null;
  /** While it leads. */
  #leadership: Leadership | null = null;
  /** While it asks for votes: who has answered what. */
  #campaign: { isTrial: boolean; votes: Map<MemberId, boolean> } | null = null;
  #ticksOfSilence = 0;
  #patienceTicks = 0;

  readonly #settings: RaftSettings;
  readonly #log: LogShape;
  readonly #outbox: Outbox<RaftMessage>;
  readonly #damagedUpTo: number;

  constructor(settings: RaftSettings, stored: StoredState) {
    assert(
      settings.heartbeatTicks * 2 < settings.electionTicks,
      'two heartbeats fit into the shortest election time-out',
    );
    this.#settings = settings;
    this.#log = new LogShape(stored.mark);
    for (const entry of stored.entries) this.#log.put(entry);
    this.#term = stored.hardState.term;
    this.#vote = stored.hardState.vote;
    this.#committed = stored.mark.index;
    this.#damagedUpTo = stored.damagedUpTo;
    this.#outbox = new Outbox(stored.hardState);
    this.#resetPatience();
    if (this.#isOnlyVoter) this.#startCampaign(false, false);
  }

  get status(): CoreStatus {
    const leadership = this.#leadership;
    return {
      role: this.#role,
      term: this.#term,
      leader: this.#leader,
      lastIndex: this.#log.lastIndex,
      committed: this.#committed,
      applicable: Math.min(this.#committed, this.#outbox.storedUpTo(this.#log.lastIndex)),
      members: this.#log.members,
      confirmedRound: leadership?.confirmedRound ?? 0,
      lastRound: leadership?.lastRound ?? 0,
      isServing: leadership !== null && !leadership.isHandingOver && this.#hasCommittedInTerm,
      progress: leadership?.progress ?? [],
    };
  }

  tick(): void {
    if (this.#leadership !== null) {
      if (!this.#leadership.tick(this.#committed)) this.#follow(this.#term, null);
      return;
    }
    this.#ticksOfSilence++;
    if (this.#ticksOfSilence < this.#patienceTicks || !this.#mayCampaign) return;
    // A disk that stalls would make it a leader that can't lead.
    if (this.#outbox.isStoring) return;
    this.#startCampaign(!this.#isOnlyVoter, false);
  }

  step(message: RaftMessage): void {
    if (message.term > this.#term && !this.#learnTerm(message)) return;
    if (message.term < this.#term) this.#answerOldTerm(message);
    else this.#stepInTerm(message);
  }

  snapshotArrived(from: MemberId, term: number, mark: Mark): void {
    this.step({ kind: 'snapshot', from, to: this.#settings.self, term, mark });
  }

  propose(data: unknown, bytes: number): number | null {
    if (this.#leadership === null || this.#leadership.isHandingOver) return null;
    return this.#addEntry({ kind: 'data', data, bytes });
  }

  proposeMembers(members: Members): number | MembersRefusal {
    if (this.#leadership === null || this.#leadership.isHandingOver) return 'not leader';
    if (!this.#hasCommittedInTerm || this.#log.lastChange > this.#committed) return 'a change is under way';
    if (voterDifference(this.#log.members, members) > 1) return 'more than one voter differs';
    return this.#addEntry({ kind: 'members', members });
  }

  startRound(): number {
    assert(this.#leadership !== null, 'only a leader has rounds of heartbeats');
    return this.#leadership.startRound(this.#committed);
  }

  transfer(member: MemberId): boolean {
    return this.#leadership?.beginTransfer(member) ?? false;
  }

  snapshotEnded(member: MemberId): void {
    this.#leadership?.snapshotEnded(member);
  }

  compact(index: number): void {
    assert(index <= this.#committed, 'only what is committed is compacted');
    if (index > this.#log.mark.index) this.#log.compact(index);
  }

  unstored(index: number): Entry | undefined {
    return this.#outbox.unstored(index);
  }

  takeSends(): Sends<RaftMessage> {
    this.#leadership?.sendEntries(this.#committed);
    return this.#outbox.takeSends();
  }

  takeWrites(): Writes<RaftMessage> | null {
    return this.#outbox.takeWrites();
  }

  stored(): void {
    this.#outbox.stored();
    this.#commitByMajority();
  }

  #stepInTerm(message: RaftMessage): void {
    switch (message.kind) {
      case 'askVote':
        this.#voteOn(message);
        break;
      case 'vote':
        this.#count(message);
        break;
      case 'append':
        this.#follow(message.term, message.from);
        this.#append(message);
        break;
      case 'heartbeat':
        this.#follow(message.term, message.from);
        this.#outbox.sendNow({ kind: 'heard', ...this.#envelope(message.from), round: message.round });
        this.#heartbeat(message);
        break;
      case 'snapshot':
        this.#follow(message.term, message.from);
        this.#install(message.from, message.mark);
        break;
      case 'appended':
        this.#leadership?.appended(message);
        this.#commitByMajority();
        break;
      case 'heard':
        this.#leadership?.heard(message, this.#committed);
        break;
      case 'takeOver':
        if (this.#mayCampaign && this.#leadership === null) this.#startCampaign(false, true);
    }
  }

  get #role(): Role {
    if (this.#leadership !== null) return 'leader';
    if (this.#campaign !== null) return 'candidate';
    return this.#isVoter ? 'follower' : 'learner';
  }

  get #isVoter(): boolean {
    return this.#log.members.voters.includes(this.#settings.self);
  }

  /**
   * Whether it may ask for votes. A member whose removal is not committed may be the only one that has it in its log: section
   * 4.2.2 of the dissertation. Its own vote does not count.
   */
  get #mayCampaign(): boolean {
    if (!this.#mayElect) return false;
    return this.#isVoter || this.#log.membersAt(this.#committed).voters.includes(this.#settings.self);
  }

  get #isOnlyVoter(): boolean {
    return this.#isVoter && this.#log.members.voters.length === 1;
  }

  /** Whether it may vote and be voted for: not while its log lacks what it may have acknowledged. */
  get #mayElect(): boolean {
    return this.#committed >= this.#damagedUpTo;
  }

  get #hasCommittedInTerm(): boolean {
    return this.#log.termAt(this.#committed) === this.#term;
  }

  /** Takes notice of a higher term. @returns whether the message counts */
  #learnTerm(message: RaftMessage): boolean {
    switch (message.kind) {
      case 'askVote':
        // Who has heard the leader lately helps nobody to overthrow it.
        if (!message.isTransfer && this.#hasLeaderLately) return false;
        if (!message.isTrial) this.#follow(message.term, null);
        return true;
      case 'vote':
        // A granted trial carries the term that is asked for, which nobody has yet.
        if (!(message.isTrial && message.isGranted)) this.#follow(message.term, null);
        return true;
      case 'append':
      case 'heartbeat':
      case 'snapshot':
        this.#follow(message.term, message.from);
        return true;
      default:
        this.#follow(message.term, null);
        return false;
    }
  }

  get #hasLeaderLately(): boolean {
    return this.#leadership !== null || (this.#leader !== null && this.#ticksOfSilence < this.#settings.electionTicks);
  }

  /** The sender learns the higher term, and stops leading or asking. */
  #answerOldTerm(message: RaftMessage): void {
    if (message.kind === 'append' || message.kind === 'heartbeat' || message.kind === 'snapshot') {
      const hint = { index: this.#log.lastIndex, term: this.#log.lastTerm };
      const fields = { isMatch: false, index: this.#log.lastIndex, hint };
      this.#outbox.sendNow({ kind: 'appended', ...this.#envelope(message.from), ...fields });
    } else if (message.kind === 'askVote' && message.isTrial) {
      const fields = { isTrial: true, isGranted: false };
      this.#outbox.sendNow({ kind: 'vote', ...this.#envelope(message.from), ...fields });
    }
  }

  #voteOn(message: AskVote): void {
    const { from, isTrial, term, lastIndex, lastTerm } = message;
    if (!this.#mayElect) return;
    const isFree = isTrial ? term > this.#term : this.#vote === from || (this.#vote === null && this.#leader === null);
    const log = this.#log;
    const isComplete = lastTerm > log.lastTerm || (lastTerm === log.lastTerm && lastIndex >= log.lastIndex);
    const isGranted = isFree && isComplete;
    if (isTrial) {
      // A granted trial is answered in the term that is asked for, a refused one in the own, which the other may not know.
      const envelope = { ...this.#envelope(from), term: isGranted ? term : this.#term };
      this.#outbox.sendNow({ kind: 'vote', ...envelope, isTrial, isGranted });
      return;
    }
    if (isGranted) {
      this.#ticksOfSilence = 0;
      this.#setHardState(this.#term, from);
    }
    this.#outbox.sendAfterwards({ kind: 'vote', ...this.#envelope(from), isTrial, isGranted });
  }

  #count(message: Vote): void {
    const campaign = this.#campaign;
    if (campaign === null || campaign.isTrial !== message.isTrial) return;
    if (message.isGranted && message.term !== this.#term + (campaign.isTrial ? 1 : 0)) return;
    campaign.votes.set(message.from, message.isGranted);
    this.#decideCampaign();
  }

  #startCampaign(isTrial: boolean, isTransfer: boolean): void {
    const { self } = this.#settings;
    this.#leader = null;
    this.#resetPatience();
    if (!isTrial) this.#setHardState(this.#term + 1, self);
    this.#campaign = { isTrial, votes: new Map([[self, true]]) };
    const term = this.#term + (isTrial ? 1 : 0);
    const { lastIndex, lastTerm } = this.#log;
    for (const to of this.#log.members.voters) {
      if (to === self) continue;
      const fields = { isTrial, isTransfer, lastIndex, lastTerm };
      this.#outbox.sendNow({ kind: 'askVote', ...this.#envelope(to), term, ...fields });
    }
    this.#decideCampaign();
  }

  #decideCampaign(): void {
    const campaign = this.#campaign;
    if (campaign === null) return;
    const { members } = this.#log;
    if (isMajority(members, (voter) => campaign.votes.get(voter) === true)) {
      if (campaign.isTrial) this.#startCampaign(false, false);
      else this.#lead();
    } else if (!isMajority(members, (voter) => campaign.votes.get(voter) !== false)) {
      this.#campaign = null;
    }
  }

  #lead(): void {
    this.#campaign = null;
    this.#leader = this.#settings.self;
    this.#leadership = new Leadership(this.#term, this.#settings, this.#log, this.#outbox);
    this.#addEntry({ kind: 'nothing' });
    this.#leadership.startRound(this.#committed);
  }

  #follow(term: number, leader: MemberId | null): void {
    if (term > this.#term) this.#setHardState(term, null);
    else assert(leader === null || this.#leadership === null, 'a term has one leader');
    this.#leadership = null;
    this.#campaign = null;
    this.#leader = leader;
    if (leader !== null) this.#ticksOfSilence = 0;
    else this.#resetPatience();
  }

  #heartbeat({ from, committed }: Heartbeat): void {
    const { lastIndex, lastTerm } = this.#log;
    this.#commit(Math.min(committed, lastIndex));
    if (committed <= lastIndex) return;
    // The leader counts on entries that this member has lost, and would not send them again by itself.
    const hint = { index: lastIndex, term: lastTerm };
    this.#outbox.sendNow({ kind: 'appended', ...this.#envelope(from), isMatch: false, index: committed, hint });
  }

  #append(message: Append): void {
    const { from, previousIndex, previousTerm, entries } = message;
    let matched = previousIndex + entries.length;
    if (previousIndex < this.#committed) {
      // What is committed is the same everywhere, and may be compacted here.
      matched = Math.max(matched, this.#committed);
    } else if (this.#log.termAt(previousIndex) !== previousTerm) {
      const hint = this.#log.lastUpTo(Math.min(previousIndex, this.#log.lastIndex), previousTerm);
      this.#outbox.sendNow({ kind: 'appended', ...this.#envelope(from), isMatch: false, index: previousIndex, hint });
      return;
    }
    for (const entry of entries) {
      const present = this.#log.termAt(entry.index);
      if (present === entry.term || entry.index <= this.#log.mark.index) continue;
      assert(entry.index > this.#committed, 'what is committed is never replaced');
      this.#log.put(entry);
      this.#outbox.put(entry);
    }
    this.#commit(Math.min(message.committed, matched));
    const hint = { index: matched, term: previousTerm };
    this.#outbox.sendAfterwards({ kind: 'appended', ...this.#envelope(from), isMatch: true, index: matched, hint });
  }

  #install(from: MemberId, mark: Mark): void {
    if (mark.index > this.#committed) {
      if (this.#log.termAt(mark.index) !== mark.term) {
        this.#log.install(mark);
        this.#outbox.install(mark);
      }
      this.#commit(mark.index);
    }
    const { index, term } = { index: this.#committed, term: this.#log.termAt(this.#committed) ?? mark.term };
    const fields = { isMatch: true, index, hint: { index, term } };
    this.#outbox.sendAfterwards({ kind: 'appended', ...this.#envelope(from), ...fields });
  }

  #addEntry(content: Content): number {
    const entry = { index: this.#log.lastIndex + 1, term: this.#term, content };
    this.#log.put(entry);
    this.#outbox.put(entry);
    if (content.kind === 'members') this.#leadership?.membersChanged();
    return entry.index;
  }

  #commitByMajority(): void {
    if (this.#leadership !== null) this.#commit(this.#leadership.committable(this.#committed));
  }

  #commit(index: number): void {
    if (index <= this.#committed) return;
    assert(index <= this.#log.lastIndex, 'what is committed is in the log');
    this.#committed = index;
    // A leader that was removed leads until then.
    if (this.#leadership !== null && !this.#isVoter && this.#log.lastChange <= index) this.#follow(this.#term, null);
  }

  #setHardState(term: number, vote: MemberId | null): void {
    this.#term = term;
    this.#vote = vote;
    this.#outbox.setHardState({ term, vote });
  }

  #resetPatience(): void {
    const { electionTicks, fraction } = this.#settings;
    this.#ticksOfSilence = 0;
    this.#patienceTicks = electionTicks + Math.floor(fraction() * electionTicks);
  }

  #envelope(to: MemberId) {
    return { from: this.#settings.self, to, term: this.#term };
  }
}
