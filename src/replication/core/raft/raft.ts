// Raft, as in «In Search of an Understandable Consensus Algorithm» (Ongaro and Ousterhout), with pre-vote, check-quorum,
// leadership transfer, learners, and changes of one member at a time from Ongaro's dissertation, chapters 3, 4 and 9.
import { assert } from '../../../runtime/assert.js';
import type { CoreStatus, Role, StoredState } from '../core.js';
import { Leadership } from '../leadership.js';
import { LedCore } from '../led-core.js';
import type { MemberId } from '../members.js';
import { Outbox } from '../outbox.js';
import { Replica } from '../replica.js';
import type { CoreSettings } from '../settings.js';
import { Campaign } from './campaign.js';
import type { AskVote, RaftMessage, Vote } from './messages.js';
import { Silence } from './silence.js';

export class Raft extends LedCore<RaftMessage> {
  #term: number;
  #vote: MemberId | null;
  #leader: MemberId | null = null;
  /** While it asks for votes. */
  #campaign: Campaign | null = null;

  protected readonly replica: Replica;
  readonly #silence: Silence;
  protected readonly outbox: Outbox<RaftMessage>;

  constructor(settings: CoreSettings, stored: StoredState) {
    super(settings);
    this.#term = stored.hardState.term;
    this.#vote = stored.hardState.vote;
    this.outbox = new Outbox(stored.hardState);
    this.replica = new Replica(settings.self, stored, this.outbox);
    // Who has no term has heard no leader.
    this.#silence = new Silence(settings, stored.hardState.term > 0);
    if (this.replica.leadsFromStart) this.#startCampaign(false, false);
  }

  get status(): CoreStatus {
    const parts = { role: this.#role, term: this.#term, leader: this.#leader, leadership: this.leadership };
    return this.replica.status(parts);
  }

  tick(): void {
    if (this.leadership !== null) {
      if (!this.leadership.tick()) this.#follow(this.#term, null);
      return;
    }
    if (!this.#silence.tick() || !this.replica.mayCampaign) return;
    // A disk that stalls would make it a leader that can't lead.
    if (this.outbox.isStoring) return;
    this.#startCampaign(!this.replica.isOnlyVoter, false);
  }

  step(message: RaftMessage): void {
    if (message.term > this.#term && !this.#learnTerm(message)) return;
    if (message.term < this.#term) this.#answerOldTerm(message);
    else this.#stepInTerm(message);
  }

  stored(): void {
    this.outbox.stored();
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
        this.replica.append(message);
        break;
      case 'heartbeat':
        this.#follow(message.term, message.from);
        this.replica.heartbeat(message);
        break;
      case 'snapshot':
        this.#follow(message.term, message.from);
        this.replica.takeState(message);
        break;
      case 'appended':
        this.leadership?.appended(message);
        this.handOver();
        this.#commitByMajority();
        break;
      case 'heard':
        this.leadership?.heard(message);
        break;
      case 'takeOver':
        if (this.replica.mayCampaign && this.leadership === null) this.#startCampaign(false, true);
    }
  }

  get #log() {
    return this.replica.log;
  }

  get #role(): Role {
    if (this.leadership !== null) return 'leader';
    if (this.#campaign !== null) return 'candidate';
    return this.replica.isVoter ? 'follower' : 'learner';
  }

  /** Takes notice of a higher term. @returns whether the message counts */
  #learnTerm(message: RaftMessage): boolean {
    switch (message.kind) {
      case 'askVote':
        // Who has heard the leader lately helps nobody to overthrow it.
        if (!message.isTransfer && (this.leadership ?? this.#silence.isShort(this.#leader !== null))) return false;
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

  /** The sender learns the higher term, and stops leading or asking. */
  #answerOldTerm(message: RaftMessage): void {
    if (message.kind === 'append' || message.kind === 'heartbeat' || message.kind === 'snapshot') {
      this.replica.refuseAll(message.from, this.#term);
    } else if (message.kind === 'askVote' && message.isTrial) {
      this.outbox.sendNow({ kind: 'vote', ...this.#envelope(message.from), isTrial: true, isGranted: false });
    }
  }

  #voteOn(message: AskVote): void {
    const { from, isTrial, term, lastIndex, lastTerm } = message;
    if (!this.replica.mayElect) return;
    const isFree = isTrial ? term > this.#term : this.#vote === from || (this.#vote === null && this.#leader === null);
    const log = this.#log;
    const isComplete = lastTerm > log.lastTerm || (lastTerm === log.lastTerm && lastIndex >= log.lastIndex);
    const isGranted = isFree && isComplete;
    if (isTrial) {
      // A granted trial is answered in the term that is asked for, a refused one in the own, which the other may not know.
      const envelope = { ...this.#envelope(from), term: isGranted ? term : this.#term };
      this.outbox.sendNow({ kind: 'vote', ...envelope, isTrial, isGranted });
      return;
    }
    if (isGranted) {
      this.#silence.interrupt();
      this.#setHardState(this.#term, from);
    }
    this.outbox.sendAfterwards({ kind: 'vote', ...this.#envelope(from), isTrial, isGranted });
  }

  #count(message: Vote): void {
    const campaign = this.#campaign;
    if (campaign === null || campaign.isTrial !== message.isTrial) return;
    if (message.isGranted && message.term !== this.#term + (campaign.isTrial ? 1 : 0)) return;
    campaign.count(message.from, message.isGranted);
    this.#decideCampaign();
  }

  #startCampaign(isTrial: boolean, isTransfer: boolean): void {
    const { self } = this.settings;
    this.#leader = null;
    this.#silence.wait();
    if (!isTrial) this.#setHardState(this.#term + 1, self);
    this.#campaign = new Campaign(self, isTrial);
    const term = this.#term + (isTrial ? 1 : 0);
    const { lastIndex, lastTerm } = this.#log;
    for (const to of this.#log.members.voters) {
      if (to === self) continue;
      const fields = { isTrial, isTransfer, lastIndex, lastTerm };
      this.outbox.sendNow({ kind: 'askVote', ...this.#envelope(to), term, ...fields });
    }
    this.#decideCampaign();
  }

  #decideCampaign(): void {
    const isWon = this.#campaign?.outcome(this.#log.members) ?? null;
    if (isWon === false) this.#campaign = null;
    else if (isWon && this.#campaign?.isTrial) this.#startCampaign(false, false);
    else if (isWon) this.#lead();
  }

  #lead(): void {
    this.#campaign = null;
    this.#leader = this.settings.self;
    this.leadership = new Leadership(this.#term, this.settings, this.replica, this.outbox);
    this.leadership.begin();
  }

  #follow(term: number, leader: MemberId | null): void {
    if (term > this.#term) this.#setHardState(term, null);
    else assert(leader === null || this.leadership === null, 'a term has one leader');
    this.leadership = null;
    this.#campaign = null;
    this.#leader = leader;
    if (leader === null) this.#silence.wait();
    else this.#silence.end();
  }

  #commitByMajority(): void {
    if (this.leadership === null || this.leadership.commit()) return;
    // It was removed. The others need not wait until they miss it.
    this.#askToTakeOver(this.leadership.mostAdvanced);
    this.#follow(this.#term, null);
  }

  protected handOver(): void {
    this.#askToTakeOver(this.leadership?.successor ?? null);
  }

  #askToTakeOver(to: MemberId | null): void {
    if (to !== null) this.outbox.sendNow({ kind: 'takeOver', ...this.#envelope(to) });
  }

  #setHardState(term: number, vote: MemberId | null): void {
    this.#term = term;
    this.#vote = vote;
    this.outbox.setHardState({ term, vote });
  }

  #envelope(to: MemberId) {
    return { from: this.settings.self, to, term: this.#term };
  }
}
