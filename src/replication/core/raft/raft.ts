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
import { Leadership } from '../leadership.js';
import { isMajority, type MemberId, type Members } from '../members.js';
import { Outbox } from '../outbox.js';
import { Replica } from '../replica.js';
import type { CoreSettings } from '../settings.js';
import type { AskVote, RaftMessage, Vote } from './messages.js';

export class Raft implements Core<RaftMessage> {
  #term: number;
  #vote: MemberId | null;
  #leader: MemberId | null = null;
  /** While it leads. */
  #leadership: Leadership | null = null;
  /** While it asks for votes: who has answered what. */
  #campaign: { isTrial: boolean; votes: Map<MemberId, boolean> } | null = null;
  #ticksOfSilence = 0;
  /** Since its start it has neither heard a leader nor waited for one as long as it must. */
  #isFresh: boolean;
  #patienceTicks = 0;

  readonly #settings: CoreSettings;
  readonly #replica: Replica;
  readonly #outbox: Outbox<RaftMessage>;

  constructor(settings: CoreSettings, stored: StoredState) {
    assert(
      settings.heartbeatTicks * 2 < settings.electionTicks,
      'two heartbeats fit into the shortest election time-out',
    );
    this.#settings = settings;
    this.#term = stored.hardState.term;
    this.#vote = stored.hardState.vote;
    this.#outbox = new Outbox(stored.hardState);
    this.#replica = new Replica(settings.self, stored, this.#outbox);
    // Who has no term has heard no leader.
    this.#isFresh = stored.hardState.term > 0;
    this.#resetPatience();
    if (this.#replica.isOnlyVoter) this.#startCampaign(false, false);
  }

  get status(): CoreStatus {
    const { term, leader, leadership } = { term: this.#term, leader: this.#leader, leadership: this.#leadership };
    return this.#replica.status({ role: this.#role, term, leader, leadership });
  }

  tick(): void {
    if (this.#leadership !== null) {
      if (!this.#leadership.tick(this.#committed)) this.#follow(this.#term, null);
      return;
    }
    if (++this.#ticksOfSilence >= this.#settings.electionTicks) this.#isFresh = false;
    if (this.#ticksOfSilence < this.#patienceTicks || !this.#replica.mayCampaign) return;
    // A disk that stalls would make it a leader that can't lead.
    if (this.#outbox.isStoring) return;
    this.#startCampaign(!this.#replica.isOnlyVoter, false);
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
    const refusal = this.#replica.refusalOf(members, this.#term);
    if (refusal !== null) return refusal;
    return this.#addEntry({ kind: 'members', members });
  }

  startRound(): number {
    assert(this.#leadership !== null, 'only a leader has rounds of heartbeats');
    return this.#leadership.startRound(this.#committed);
  }

  transfer(member: MemberId): boolean {
    const isBegun = this.#leadership?.beginTransfer(member) ?? false;
    this.#handOver();
    return isBegun;
  }

  snapshotEnded(member: MemberId): void {
    this.#leadership?.snapshotEnded(member);
  }

  compact(index: number): void {
    this.#replica.compact(index);
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
        this.#replica.append(message);
        break;
      case 'heartbeat':
        this.#follow(message.term, message.from);
        this.#replica.heartbeat(message);
        break;
      case 'snapshot':
        this.#follow(message.term, message.from);
        this.#replica.takeState(message);
        break;
      case 'appended':
        this.#leadership?.appended(message);
        this.#handOver();
        this.#commitByMajority();
        break;
      case 'heard':
        this.#leadership?.heard(message, this.#committed);
        break;
      case 'takeOver':
        if (this.#replica.mayCampaign && this.#leadership === null) this.#startCampaign(false, true);
    }
  }

  get #log() {
    return this.#replica.log;
  }

  get #committed(): number {
    return this.#replica.committed;
  }

  get #role(): Role {
    if (this.#leadership !== null) return 'leader';
    if (this.#campaign !== null) return 'candidate';
    return this.#replica.isVoter ? 'follower' : 'learner';
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

  /** A member that has just been started may have answered a leader right before. */
  get #hasLeaderLately(): boolean {
    if (this.#leadership !== null) return true;
    return (this.#leader !== null || this.#isFresh) && this.#ticksOfSilence < this.#settings.electionTicks;
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
    if (!this.#replica.mayElect) return;
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
    if (leader === null) {
      this.#resetPatience();
      return;
    }
    this.#ticksOfSilence = 0;
    this.#isFresh = false;
  }

  #addEntry(content: Content): number {
    const index = this.#replica.add(this.#term, content);
    if (content.kind === 'members') this.#leadership?.membersChanged();
    return index;
  }

  #commitByMajority(): void {
    if (this.#leadership === null) return;
    this.#replica.commit(this.#leadership.committable(this.#committed));
    // A leader that was removed leads until then.
    if (!this.#replica.isVoter && this.#log.lastChange <= this.#committed) this.#follow(this.#term, null);
  }

  #handOver(): void {
    const to = this.#leadership?.successor ?? null;
    if (to !== null) this.#outbox.sendNow({ kind: 'takeOver', ...this.#envelope(to) });
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
