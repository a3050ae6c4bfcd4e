// A primary and its backups, without votes. All tell each other that they live (HELO). The primary commits what all voters have stored,
// and strikes off those that are silent, so that it need not wait for them; they come back as learners, and count again once they have
// everything. When the primary is silent, the lowest living member that has all that was acknowledged takes over.
//
// A silent server is taken for dead. In a network that splits, both parts may have a primary, and both answer. When they meet, the later
// primary stays, and what the other one has acknowledged is lost: this protocol has no way to know.
import type { CoreStatus, MembersRefusal, Role, StoredState } from '../core.js';
import { BY_ALL } from '../counting.js';
import type { Append, Heartbeat, Snapshot } from '../leader-messages.js';
import { Leadership } from '../leadership.js';
import { LedCore } from '../led-core.js';
import { hasMember, type MemberId, type Members } from '../members.js';
import { Outbox } from '../outbox.js';
import { Replica } from '../replica.js';
import type { CoreSettings } from '../settings.js';
import { Living } from './living.js';
import type { Helo, PrimaryMessage, Roll } from './messages.js';
import { nextReign } from './reigns.js';
import { reviewedRoll, rollOfNew } from './roll.js';

/** Numbers of starts are drawn from so many. */
const STARTS = 2 ** 40;

export class PrimaryBackup extends LedCore<PrimaryMessage> {
  #term: number;
  /** The primary that it follows, itself included. */
  #primary: MemberId | null = null;
  protected replica: Replica;
  /** It may lack what was acknowledged while it was away, or before it was there: the group may have begun without it. */
  #isReturning = true;
  /** The log is known to be the beginning of the primary's, or the same, in this term. */
  #matchedTerm = 0;
  #ticksSinceHelo = 0;
  /** Without a primary. */
  #ticksOfSilence = 0;
  /** For how long it waits without one: since its start it may not have heard of all that live. */
  #patienceTicks: number;
  /** The highest that it has heard of. */
  #knownTerm: number;

  /** Unique to this start. */
  readonly #start: number;
  readonly #living: Living;
  protected readonly outbox: Outbox<PrimaryMessage>;

  constructor(settings: CoreSettings, stored: StoredState) {
    super(settings);
    this.#term = stored.hardState.term;
    this.#knownTerm = this.#term;
    this.#start = 1 + Math.floor(settings.fraction() * STARTS);
    this.#patienceTicks = settings.electionTicks;
    this.#living = new Living(settings.electionTicks);
    this.outbox = new Outbox(stored.hardState);
    this.replica = new Replica(settings.self, stored, this.outbox);
  }

  get status(): CoreStatus {
    const { role, leadership } = { role: this.#role, leadership: this.leadership };
    return this.replica.status({ role, term: this.#term, leader: this.#primary, leadership });
  }

  tick(): void {
    this.#living.tick();
    if (++this.#ticksSinceHelo >= this.settings.heartbeatTicks) this.#sendHelos();
    if (this.leadership !== null) {
      if (this.leadership.tick()) this.#reviewMembers();
      else this.#stepDown();
      return;
    }
    if (this.#primary !== null && this.#living.isLiving(this.#primary)) {
      this.#ticksOfSilence = 0;
      return;
    }
    this.#missPrimary();
    if (++this.#ticksOfSilence < this.#patienceTicks) return;
    if (this.outbox.isStoring || !this.replica.mayElect) return;
    const next = this.#living.next(this.settings.self, this.#roll, this.#isReturning, this.#start);
    if (next === this.settings.self) this.#takeOver();
  }

  step(message: PrimaryMessage): void {
    const { from, term } = message;
    this.#knownTerm = Math.max(this.#knownTerm, term);
    if (message.kind === 'helo') {
      this.#living.helo(message);
      this.#noteReturn(message);
      // It was removed, and may not know.
      if (!hasMember(this.replica.log.members, from)) this.#sendHelo(from);
      // It has been started anew, or follows another one.
      if (from === this.#primary && term >= this.#term && !message.isPrimary) this.#missPrimary();
      return;
    }
    this.#living.heard(from);
    switch (message.kind) {
      case 'append':
      case 'heartbeat':
      case 'snapshot':
        if (this.#follows(from, term)) this.#stepOfPrimary(message);
        else this.replica.refuseAll(from, this.#term);
        break;
      case 'takeOver':
        if (term === this.#term && this.leadership === null && this.replica.isVoter) this.#takeOver();
        break;
      default:
        // There is a later primary.
        if (term > this.#term && this.leadership !== null) this.#stepDown();
        if (term !== this.#term || this.leadership === null) break;
        if (message.kind === 'heard') this.leadership.heard(message);
        else if (message.kind === 'needState') this.leadership.needsState(from);
        else this.leadership.appended(message);
        this.#commit();
        this.handOver();
    }
  }

  /** A voter must have everything, or be one already. */
  override proposeMembers(members: Members): number | MembersRefusal {
    if (this.leadership === null || this.leadership.isHandingOver) return 'not leader';
    if (!members.voters.includes(this.settings.self)) return 'no voter would be left';
    const { voters } = this.replica.log.members;
    const lacking = members.voters.filter((voter) => !voters.includes(voter) && !this.#hasEverything(voter));
    if (lacking.length > 0) return 'a change is under way';
    const index = this.leadership.setMembers(members);
    this.#commit();
    return index;
  }

  stored(): void {
    this.outbox.stored();
    this.#commit();
  }

  /**
   * Nobody hears of a roll that its primary may lose: started anew, the primary would go by the roll before, while others go by the
   * new one.
   */
  protected override get maySendEntries(): boolean {
    return this.#isRollStored;
  }

  get #isRollStored(): boolean {
    const { log } = this.replica;
    return this.outbox.storedUpTo(log.lastIndex) >= log.lastChange;
  }

  get #role(): Role {
    if (this.leadership !== null) return 'leader';
    if (this.replica.isVoter && this.#primary === null) return 'candidate';
    return this.replica.isVoter ? 'follower' : 'learner';
  }

  get #roll(): Roll {
    const { log } = this.replica;
    const index = Math.max(log.lastChange, log.mark.index);
    return { index, term: log.termAt(index) ?? 0, voters: log.members.voters };
  }

  /** Whether the sender is the primary of this term, or of a later one, which it then follows. */
  #follows(from: MemberId, term: number): boolean {
    if (term < this.#term || (term === this.#term && this.leadership !== null)) return false;
    if (term > this.#term) {
      if (this.leadership !== null) this.#stepDown();
      this.#setTerm(term, from);
    }
    this.#primary = from;
    return true;
  }

  #stepOfPrimary(message: Append | Heartbeat | Snapshot): void {
    switch (message.kind) {
      case 'heartbeat':
        // Before the logs were compared, what is committed there may be something else here.
        this.replica.heartbeat(this.#matchedTerm === this.#term ? message : { ...message, committed: 0 });
        break;
      case 'append':
        this.#append(message);
        break;
      case 'snapshot':
        this.#takeState(message);
    }
  }

  /**
   * The primary has heard that this member has started, and its roll has it: it waits for this member before it acknowledges anything.
   * What it had acknowledged before that roll is before it in the log.
   */
  #noteReturn({ from, term, isPrimary, heardStart, roll }: Helo): void {
    if (!isPrimary || from !== this.#primary || term !== this.#term || heardStart !== this.#start) return;
    const { log, isVoter } = this.replica;
    const isHere = roll.index < log.mark.index || log.termAt(roll.index) === roll.term;
    if (isVoter && this.#matchedTerm === term && isHere) this.#isReturning = false;
  }

  #append(message: Append): void {
    const { from, previousIndex, previousTerm, entries } = message;
    const isMatch = this.replica.log.termAt(previousIndex) === previousTerm;
    // All that is committed here must be among what was compared.
    const isCompared = previousIndex + entries.length >= this.replica.committed;
    const isKnown = this.#matchedTerm === this.#term;
    if (this.#partsFrom(message) || (isMatch && !isCompared && !isKnown)) {
      this.outbox.sendNow({ kind: 'needState', ...this.#envelope(from) });
      return;
    }
    if (isMatch && isCompared) this.#matchedTerm = this.#term;
    this.replica.append(message);
  }

  /** Whether something is committed here that is something else there, or may be. */
  #partsFrom({ previousIndex, previousTerm, entries }: Append): boolean {
    const { log, committed } = this.replica;
    if (this.#matchedTerm !== this.#term && previousIndex < log.mark.index) return true;
    const isOther = (index: number, term: number) => {
      const present = log.termAt(index);
      return index <= committed && present !== undefined && present !== term;
    };
    return isOther(previousIndex, previousTerm) || entries.some(({ index, term }) => isOther(index, term));
  }

  /** The primary's state replaces everything here that is not known to be a part of it. */
  #takeState(message: Snapshot): void {
    const { mark } = message;
    const { log } = this.replica;
    const isPart = this.#matchedTerm === this.#term || log.termAt(mark.index) === mark.term;
    if (!isPart) {
      const hardState = { term: this.#term, vote: this.#primary };
      this.replica = new Replica(this.settings.self, { hardState, mark, entries: [], damagedUpTo: 0 }, this.outbox);
      this.outbox.install(mark);
    }
    this.#matchedTerm = this.#term;
    this.replica.takeState(message);
  }

  #takeOver(): void {
    const { self } = this.settings;
    this.#setTerm(nextReign(this.#knownTerm, self), self);
    this.#primary = self;
    this.#isReturning = false;
    this.leadership = new Leadership(this.#term, this.settings, this.replica, this.outbox, BY_ALL);
    this.leadership.begin();
    this.leadership.setMembers(rollOfNew(self, this.replica.log.members, (voter) => this.#living.isLiving(voter)));
    this.#commit();
  }

  #reviewMembers(): void {
    if (this.leadership === null || this.leadership.isHandingOver) return;
    const { members } = this.replica.log;
    const next = reviewedRoll(this.settings.self, members, {
      isLiving: (member) => this.#living.isLiving(member),
      hasEverything: (member) => this.#hasEverything(member),
    });
    if (next === members) return;
    this.leadership.setMembers(next);
    this.#commit();
  }

  /** Before it has committed anything of its term, a primary does not know what others have acknowledged. */
  #hasEverything(member: MemberId): boolean {
    const known = this.leadership?.progress.find((progress) => progress.member === member);
    if (known === undefined || !this.replica.hasCommittedIn(this.#term)) return false;
    return !known.needsSnapshot && known.matched >= this.replica.committed;
  }

  /** Its followers know who lives. */
  #missPrimary(): void {
    if (this.#primary === null) return;
    this.#primary = null;
    this.#patienceTicks = 0;
  }

  #stepDown(): void {
    this.leadership = null;
    this.#primary = null;
    this.#isReturning = true;
    this.#ticksOfSilence = 0;
    this.#patienceTicks = this.settings.electionTicks;
  }

  /** By a roll that is on its own disk only: without it, when started anew, it would count who was struck off, and lacks what was acknowledged. */
  #commit(): void {
    if (this.leadership === null || !this.#isRollStored) return;
    if (!this.leadership.commit()) this.#stepDown();
  }

  protected handOver(): void {
    const to = this.leadership?.successor ?? null;
    if (to !== null) this.outbox.sendNow({ kind: 'takeOver', ...this.#envelope(to) });
  }

  #sendHelos(): void {
    this.#ticksSinceHelo = 0;
    const { voters, learners } = this.replica.log.members;
    for (const to of [...voters, ...learners]) if (to !== this.settings.self) this.#sendHelo(to);
  }

  #sendHelo(to: MemberId): void {
    const standing = { isReturning: this.#isReturning, isWhole: this.replica.mayElect };
    const isPrimary = this.leadership !== null;
    // Its heartbeats say that it lives.
    if (isPrimary && !this.#isRollStored) return;
    const starts = { start: this.#start, heardStart: this.#living.startOf(to) };
    this.outbox.sendNow({ kind: 'helo', ...this.#envelope(to), roll: this.#roll, isPrimary, ...standing, ...starts });
  }

  #setTerm(term: number, primary: MemberId): void {
    this.#term = term;
    this.#knownTerm = Math.max(this.#knownTerm, term);
    this.outbox.setHardState({ term, vote: primary });
  }

  #envelope(to: MemberId) {
    return { from: this.settings.self, to, term: this.#term };
  }
}
