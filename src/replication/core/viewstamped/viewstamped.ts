// Viewstamped replication, as in «Viewstamped Replication Revisited» (Liskov and Cowling), with other rules where a member has a disk:
//
// - An entry is on the disk before its PrepareOK, and a view before any message tells of it. There is no recovery without a disk.
// - A primary's first entry in a view is an empty one. So the view of the last entry of a log is the last one in which its owner
//   was normal, and the hard state need not say it.
// - `vote` in the hard state is the primary that a member expects in its view. It answers a change of the view to nobody else, in
//   this view. Members may differ in who the voters are, and so in whose turn it is: whom a quorum expects is still only one.
// - A change of members counts from when it is in the log. A primary makes one at a time, which changes one voter, once an entry of
//   its own view is committed; the quorum for a view is one of the voters in the new log. So any two quorums that decide next to
//   each other have a voter in common: section 4.1 of Ongaro's dissertation holds word for word.
// - No view changes unless a quorum hears no primary (`probe`), and the next view is one whose primary is among them.
// - A heartbeat or entries of a new primary are the StartView.
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
import type { LeaderMessage, Snapshot } from '../leader-messages.js';
import { Leadership } from '../leadership.js';
import { isMajority, type MemberId, type Members } from '../members.js';
import { Outbox } from '../outbox.js';
import { Replica } from '../replica.js';
import type { CoreSettings } from '../settings.js';
import type { DoViewChange, Fetch, Fetched, StartViewChange, ViewstampedMessage } from './messages.js';
import { NewLog, sendingPoint } from './new-log.js';
import { Patience } from './patience.js';
import { nextView, primaryOf } from './views.js';

export class Viewstamped implements Core<ViewstampedMessage> {
  #view: number;
  /** Whom it expects to lead the view. */
  #expected: MemberId | null;
  /** Known to lead the view. */
  #leader: MemberId | null = null;
  /** While it leads. */
  #leadership: Leadership | null = null;
  /** From when it enters a view until the view begins. `newLog` is the primary's. */
  #change: { readonly released: number; newLog: NewLog | null } | null = null;
  /** While it asks whether others hear a primary: who does not, and its view. */
  #silent: Map<MemberId, number> | null = null;
  /** To whom a state is being sent because it fetches what is compacted here. */
  #stateFor: MemberId | null = null;

  readonly #settings: CoreSettings;
  readonly #outbox: Outbox<ViewstampedMessage>;
  readonly #replica: Replica;
  readonly #patience: Patience;

  constructor(settings: CoreSettings, stored: StoredState) {
    this.#settings = settings;
    this.#view = stored.hardState.term;
    this.#expected = stored.hardState.vote;
    this.#outbox = new Outbox(stored.hardState);
    this.#replica = new Replica(settings.self, stored, this.#outbox);
    this.#patience = new Patience(settings);
    if (this.#replica.isOnlyVoter && this.#replica.mayElect) this.#enterNext([this.#view], () => true);
  }

  get status(): CoreStatus {
    const { term, leader, leadership } = { term: this.#view, leader: this.#leader, leadership: this.#leadership };
    return this.#replica.status({ role: this.#role, term, leader, leadership });
  }

  tick(): void {
    if (this.#leadership !== null) {
      if (!this.#leadership.tick(this.#committed)) this.#stepDown();
      return;
    }
    this.#patience.tick();
    if (!this.#patience.isOver) {
      if (this.#patience.isTimeToRepeat) this.#repeat();
      return;
    }
    // A primary that has not found its log by now gives the view up: the others wait for it as long as it speaks.
    if (this.#change !== null) this.#change.newLog = null;
    // A disk that stalls would make it a primary that can't lead.
    if (this.#replica.mayCampaign && !this.#outbox.isStoring) this.#probe();
  }

  step(message: ViewstampedMessage): void {
    switch (message.kind) {
      case 'probe':
        this.#answerProbe(message.from);
        break;
      case 'silence':
        this.#silent?.set(message.from, message.term);
        this.#decideChange();
        break;
      case 'startViewChange':
        this.#startViewChange(message);
        break;
      case 'doViewChange':
        this.#doViewChange(message);
        break;
      case 'fetch':
        if (message.term === this.#view) this.#answerFetch(message);
        break;
      case 'fetched':
        if (message.term === this.#view) this.#fetched(message);
        break;
      case 'snapshot':
        if (message.term === this.#view) this.#snapshot(message);
        else if (message.term < this.#view) this.#answerOldView(message.from);
        break;
      default:
        this.#stepOfLeader(message);
    }
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
    return this.#replica.refusalOf(members, this.#view) ?? this.#addEntry({ kind: 'members', members });
  }

  startRound(): number {
    assert(this.#leadership !== null, 'only a primary has rounds of heartbeats');
    return this.#leadership.startRound(this.#committed);
  }

  transfer(member: MemberId): boolean {
    const isBegun = this.#leadership?.beginTransfer(member) ?? false;
    this.#handOver();
    return isBegun;
  }

  snapshotEnded(member: MemberId): void {
    this.#leadership?.snapshotEnded(member);
    if (this.#stateFor === member) this.#stateFor = null;
  }

  compact(index: number): void {
    this.#replica.compact(index);
  }

  unstored(index: number): Entry | undefined {
    return this.#outbox.unstored(index);
  }

  takeSends(): Sends<ViewstampedMessage> {
    this.#leadership?.sendEntries(this.#committed);
    return this.#outbox.takeSends();
  }

  takeWrites(): Writes<ViewstampedMessage> | null {
    return this.#outbox.takeWrites();
  }

  stored(): void {
    this.#outbox.stored();
    this.#commitByMajority();
    this.#beginIfComplete();
  }

  get #committed(): number {
    return this.#replica.committed;
  }

  get #role(): Role {
    if (this.#leadership !== null) return 'leader';
    if (this.#change !== null || this.#silent !== null) return 'candidate';
    return this.#replica.isVoter ? 'follower' : 'learner';
  }

  #stepOfLeader(message: Exclude<LeaderMessage, Snapshot>): void {
    const { kind, from, term } = message;
    if (kind === 'appended' || kind === 'heard') {
      // It is in a later view, and takes nothing from this primary any more.
      if (term > this.#view && this.#leadership !== null) this.#stepDown(term);
      if (term !== this.#view || this.#leadership === null) return;
      if (kind === 'heard') {
        this.#leadership.heard(message, this.#committed);
        return;
      }
      this.#leadership.appended(message);
      this.#commitByMajority();
      this.#handOver();
      return;
    }
    if (term < this.#view) {
      this.#answerOldView(from);
      return;
    }
    this.#follow(term, from);
    if (kind === 'append') {
      this.#replica.append(message);
      return;
    }
    this.#replica.commit(Math.min(message.committed, this.#replica.log.lastIndex));
    this.#outbox.sendNow({ kind: 'heard', ...this.#envelope(from), round: message.round });
  }

  /** The old primary learns that there is a later view, and stops leading. */
  #answerOldView(from: MemberId): void {
    const { lastIndex, lastTerm } = this.#replica.log;
    const fields = { isMatch: false, index: lastIndex, hint: { index: lastIndex, term: lastTerm } };
    this.#outbox.sendNow({ kind: 'appended', ...this.#envelope(from), ...fields });
  }

  #probe(): void {
    this.#leader = null;
    this.#patience.reset();
    if (this.#replica.isOnlyVoter) {
      this.#enterNext([this.#view], () => true);
      return;
    }
    this.#silent = new Map([[this.#settings.self, this.#view]]);
    for (const to of this.#otherVoters) this.#outbox.sendNow({ kind: 'probe', ...this.#envelope(to) });
    this.#decideChange();
  }

  #answerProbe(from: MemberId): void {
    if (!this.#replica.mayElect || this.#leadership !== null) return;
    if (this.#patience.mayBeLed || this.#patience.hasHopeLately) return;
    this.#outbox.sendNow({ kind: 'silence', ...this.#envelope(from) });
  }

  #decideChange(): void {
    const silent = this.#silent;
    if (silent === null || !isMajority(this.#replica.log.members, (voter) => silent.has(voter))) return;
    this.#enterNext([...silent.values()], (voter) => silent.has(voter));
  }

  /** Enters the next view behind all of these whose primary is fit, and has the others enter it. */
  #enterNext(views: readonly number[], isFit: (voter: MemberId) => boolean, released = 0): void {
    const { members } = this.#replica.log;
    const view = nextView(Math.max(this.#view, ...views), members, isFit);
    this.#enter(view, primaryOf(view, members), released);
    this.#announce();
  }

  #enter(view: number, primary: MemberId, released: number): void {
    const { self } = this.#settings;
    assert(view > this.#view || this.#expected === null, 'a view has one primary');
    this.#idle();
    this.#setHardState(view, primary);
    this.#change = { released, newLog: primary === self ? new NewLog(self, this.#replica.log) : null };
    this.#patience.hope();
    if (primary !== self) this.#answerChange();
  }

  #startViewChange({ from, term, primary, released }: StartViewChange): void {
    if (term === this.#view && primary === this.#expected) {
      if (this.#change === null) return;
      if (from === primary) this.#patience.hope();
      if (primary !== this.#settings.self) this.#answerChange();
    } else if (this.#mayEnter(term, released)) this.#enter(term, primary, released);
  }

  #doViewChange(message: DoViewChange): void {
    if (this.#mayEnter(message.term, message.released))
      this.#enter(message.term, this.#settings.self, message.released);
    const newLog = this.#change?.newLog ?? null;
    if (newLog === null || message.term !== this.#view) return;
    const before = newLog.fetching?.from;
    newLog.answered(message);
    if (newLog.fetching !== null && newLog.fetching.from !== before) this.#fetch();
    this.#beginIfComplete();
  }

  /** A member that leads, or may be led, enters no other view, unless its primary has released it. */
  #mayEnter(view: number, released: number): boolean {
    if (!this.#replica.mayElect) return false;
    if (view < this.#view || (view === this.#view && (this.#expected !== null || this.#leader !== null))) return false;
    return released >= this.#view || (this.#leadership === null && !this.#patience.mayBeLed);
  }

  #announce(): void {
    const { change, expected } = { change: this.#change, expected: this.#expected };
    assert(change !== null && expected !== null, 'only a change of the view is announced');
    const fields = { primary: expected, released: change.released };
    for (const to of this.#otherVoters) {
      this.#outbox.sendNow({ kind: 'startViewChange', ...this.#envelope(to), ...fields });
    }
  }

  #answerChange(): void {
    const { change, expected } = { change: this.#change, expected: this.#expected };
    assert(change !== null && expected !== null, 'only a change of the view is answered');
    const { lastIndex, lastTerm } = this.#replica.log;
    const fields = { lastIndex, lastTerm, committed: this.#committed, released: change.released };
    this.#outbox.sendAfterwards({ kind: 'doViewChange', ...this.#envelope(expected), ...fields });
  }

  /** What was sent may be lost. */
  #repeat(): void {
    if (this.#change === null) return;
    if (this.#change.newLog !== null) {
      this.#announce();
      this.#fetch();
    } else if (this.#expected !== this.#settings.self) this.#answerChange();
  }

  #fetch(): void {
    const fetching = this.#change?.newLog?.fetching ?? null;
    if (fetching === null) return;
    const { index, term } = fetching.point;
    this.#outbox.sendNow({ kind: 'fetch', ...this.#envelope(fetching.from), index, indexTerm: term });
  }

  #answerFetch({ from, index, indexTerm }: Fetch): void {
    if (this.#change === null || this.#expected !== from) return;
    this.#patience.hope();
    const { log } = this.#replica;
    const point = sendingPoint(log, { index, term: indexTerm });
    if (point === null) {
      if (this.#stateFor !== null) return;
      this.#stateFor = from;
      this.#outbox.sendSnapshot(from);
      return;
    }
    const range = { first: point.index + 1, last: log.lastWithin(point.index + 1, this.#settings.maximumAppendBytes) };
    const fields = { previousIndex: point.index, previousTerm: point.term };
    this.#outbox.sendNow({ kind: 'fetched', ...this.#envelope(from), ...fields, ...range });
  }

  #fetched({ from, previousIndex, previousTerm, entries }: Fetched): void {
    const newLog = this.#change?.newLog ?? null;
    if (newLog === null || newLog.fetching?.from !== from) return;
    const matched = this.#replica.take(previousIndex, previousTerm, entries);
    if (matched === null) newLog.differs({ index: previousIndex, term: previousTerm });
    else newLog.took(matched);
    this.#patience.hope();
    this.#fetch();
    this.#beginIfComplete();
  }

  #snapshot(message: Snapshot): void {
    const newLog = this.#change?.newLog ?? null;
    if (message.from === this.#leader) {
      this.#follow(message.term, message.from);
      this.#replica.takeState(message);
    } else if (newLog !== null && newLog.fetching?.from === message.from) {
      this.#replica.install(message.mark);
      newLog.took(Math.max(message.mark.index, this.#committed));
      this.#patience.hope();
      this.#fetch();
      this.#beginIfComplete();
    }
  }

  /** Begins the view when its log is found and on the disk. */
  #beginIfComplete(): void {
    const newLog = this.#change?.newLog ?? null;
    if (newLog === null || newLog.fetching !== null || !newLog.hasQuorum || this.#outbox.isStoring) return;
    this.#idle();
    this.#replica.commit(newLog.committed);
    this.#leader = this.#settings.self;
    this.#leadership = new Leadership(this.#view, this.#settings, this.#replica.log, this.#outbox);
    this.#addEntry({ kind: 'nothing' });
    this.#leadership.startRound(this.#committed);
  }

  #handOver(): void {
    const to = this.#leadership?.successor ?? null;
    if (to !== null) this.#enterNext([], (voter) => voter === to, this.#view);
  }

  #follow(view: number, leader: MemberId): void {
    assert(view > this.#view || this.#leadership === null, 'a view has one primary');
    this.#idle();
    if (view > this.#view) this.#setHardState(view, leader);
    this.#leader = leader;
    this.#patience.led();
  }

  #stepDown(view = this.#view): void {
    this.#idle();
    if (view > this.#view) this.#setHardState(view, null);
    this.#patience.released();
  }

  /** It neither leads nor follows nor changes the view. */
  #idle(): void {
    this.#leadership = null;
    this.#leader = null;
    this.#change = null;
    this.#silent = null;
  }

  #addEntry(content: Content): number {
    const index = this.#replica.add(this.#view, content);
    if (content.kind === 'members') this.#leadership?.membersChanged();
    return index;
  }

  #commitByMajority(): void {
    if (this.#leadership === null) return;
    this.#replica.commit(this.#leadership.committable(this.#committed));
    // A primary that was removed leads until then.
    if (!this.#replica.isVoter && this.#replica.log.lastChange <= this.#committed) this.#stepDown();
  }

  #setHardState(view: number, expected: MemberId | null): void {
    this.#view = view;
    this.#expected = expected;
    this.#outbox.setHardState({ term: view, vote: expected });
  }

  get #otherVoters(): MemberId[] {
    return this.#replica.log.members.voters.filter((voter) => voter !== this.#settings.self);
  }

  #envelope(to: MemberId) {
    return { from: this.#settings.self, to, term: this.#view };
  }
}
