// How a group goes from one view to the next: who is silent, which view comes, whom its members expect to lead it, and the log with
// which it begins.
import { assert } from '../../../runtime/assert.js';
import type { HardState } from '../core.js';
import type { Snapshot } from '../leader-messages.js';
import { isMajority, type MemberId } from '../members.js';
import type { Outbox } from '../outbox.js';
import type { Replica } from '../replica.js';
import type { CoreSettings } from '../settings.js';
import type { ChangeMessage, DoViewChange, Fetch, Fetched, StartViewChange, ViewstampedMessage } from './messages.js';
import { NewLog, sendingPoint } from './new-log.js';
import { Patience } from './patience.js';
import { nextView, primaryOf } from './views.js';

export class ViewChange {
  #view: number;
  /** Whom it expects to lead the view. */
  #expected: MemberId | null;
  /** Known to lead the view. */
  #leader: MemberId | null = null;
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

  constructor(settings: CoreSettings, hardState: HardState, outbox: Outbox<ViewstampedMessage>, replica: Replica) {
    this.#settings = settings;
    this.#view = hardState.term;
    this.#expected = hardState.vote;
    this.#outbox = outbox;
    this.#replica = replica;
    this.#patience = new Patience(settings);
    // Nobody else could tell it that there is a primary.
    if (replica.leadsFromStart) this.#enterNext([], () => true);
  }

  get view(): number {
    return this.#view;
  }

  /** Itself from when the view begins that it leads. */
  get leader(): MemberId | null {
    return this.#leader;
  }

  get isLeading(): boolean {
    return this.#leader === this.#settings.self;
  }

  /** It has asked for a change, or takes part in one. */
  get isChanging(): boolean {
    return this.#change !== null || this.#silent !== null;
  }

  /** Of who does not lead. */
  tick(): void {
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

  step(message: ChangeMessage): void {
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
    }
  }

  /** The state of whoever has the best log has come, in the view that is to begin. */
  fetchedState({ from, mark }: Snapshot): void {
    const newLog = this.#newLogFrom(from);
    if (newLog === null) return;
    this.#replica.install(mark);
    newLog.took(Math.max(mark.index, this.#replica.committed));
    this.#goOnFetching();
  }

  stateEnded(member: MemberId): void {
    if (this.#stateFor === member) this.#stateFor = null;
  }

  /** Of the primary: everybody enters the next view that is the other's, and need not wait until this one is silent. */
  handOver(to: MemberId): void {
    this.#enterNext([], (voter) => voter === to, this.#view);
  }

  follow(view: number, leader: MemberId): void {
    assert(view > this.#view || !this.isLeading, 'a view has one primary');
    this.#idle();
    if (view > this.#view) this.#setHardState(view, leader);
    this.#leader = leader;
    this.#patience.led();
  }

  stepDown(view = this.#view): void {
    this.#idle();
    if (view > this.#view) this.#setHardState(view, null);
    this.#patience.released();
  }

  /** Begins the view when its log is found and on the disk, and so is whom it expects. */
  beginIfComplete(): void {
    const newLog = this.#change?.newLog ?? null;
    if (newLog === null || newLog.fetching !== null || !newLog.hasQuorum || this.#outbox.isStoring) return;
    this.#replica.commit(newLog.committed);
    this.#idle();
    // The new log may tell it that it was removed.
    if (this.#replica.mayCampaign) this.#leader = this.#settings.self;
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
    if (!this.#replica.mayElect || this.isLeading) return;
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
    const { term, released } = message;
    if (this.#mayEnter(term, released)) this.#enter(term, this.#settings.self, released);
    const newLog = this.#change?.newLog ?? null;
    if (newLog === null || term !== this.#view) return;
    const before = newLog.fetching?.from;
    newLog.answered(message);
    if (newLog.fetching !== null && newLog.fetching.from !== before) this.#fetch();
    this.beginIfComplete();
  }

  /** A member that leads, or may be led, enters no other view, unless its primary has released it. */
  #mayEnter(view: number, released: number): boolean {
    if (!this.#replica.mayElect) return false;
    if (view < this.#view || (view === this.#view && (this.#expected !== null || this.#leader !== null))) return false;
    return released >= this.#view || (!this.isLeading && !this.#patience.mayBeLed);
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
    const fields = { lastIndex, lastTerm, committed: this.#replica.committed, released: change.released };
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
    const newLog = this.#newLogFrom(from);
    if (newLog === null) return;
    const matched = this.#replica.take(previousIndex, previousTerm, entries);
    if (matched === null) newLog.differs({ index: previousIndex, term: previousTerm });
    else newLog.took(matched);
    this.#goOnFetching();
  }

  #goOnFetching(): void {
    this.#patience.hope();
    this.#fetch();
    this.beginIfComplete();
  }

  #newLogFrom(member: MemberId): NewLog | null {
    const newLog = this.#change?.newLog ?? null;
    return newLog?.fetching?.from === member ? newLog : null;
  }

  /** It neither leads nor follows nor changes the view. */
  #idle(): void {
    this.#leader = null;
    this.#change = null;
    this.#silent = null;
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
