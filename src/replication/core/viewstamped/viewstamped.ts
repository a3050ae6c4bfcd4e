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
import type { CoreStatus, Role, StoredState } from '../core.js';
import type { Append, Heartbeat, Snapshot } from '../leader-messages.js';
import { Leadership } from '../leadership.js';
import { LedCore } from '../led-core.js';
import type { MemberId } from '../members.js';
import { Outbox } from '../outbox.js';
import { Replica } from '../replica.js';
import type { CoreSettings } from '../settings.js';
import type { ViewstampedMessage } from './messages.js';
import { ViewChange } from './view-change.js';

export class Viewstamped extends LedCore<ViewstampedMessage> {
  protected readonly outbox: Outbox<ViewstampedMessage>;
  protected readonly replica: Replica;
  readonly #views: ViewChange;

  constructor(settings: CoreSettings, stored: StoredState) {
    super(settings);
    this.outbox = new Outbox(stored.hardState);
    this.replica = new Replica(settings.self, stored, this.outbox);
    this.#views = new ViewChange(settings, stored.hardState, this.outbox, this.replica);
  }

  get status(): CoreStatus {
    const { view: term, leader } = this.#views;
    return this.replica.status({ role: this.#role, term, leader, leadership: this.leadership });
  }

  tick(): void {
    if (this.leadership === null) this.#views.tick();
    else if (!this.leadership.tick()) this.#views.stepDown();
    this.#noteView();
  }

  step(message: ViewstampedMessage): void {
    const { from, term } = message;
    const { view } = this.#views;
    switch (message.kind) {
      case 'append':
      case 'heartbeat':
        if (term < view) this.#answerOldView(from);
        else this.#stepOfPrimary(message);
        break;
      case 'snapshot':
        if (term < view) this.#answerOldView(from);
        else if (term === view) this.#stateCame(message);
        break;
      case 'appended':
      case 'heard':
        // It is in a later view, and takes nothing from this primary any more.
        if (term > view && this.leadership !== null) this.#views.stepDown(term);
        if (term !== view) break;
        if (message.kind === 'heard') this.leadership?.heard(message);
        else this.leadership?.appended(message);
        this.#commitByMajority();
        this.handOver();
        break;
      default:
        this.#views.step(message);
    }
    this.#noteView();
  }

  override transfer(member: MemberId): boolean {
    const isBegun = super.transfer(member);
    this.#noteView();
    return isBegun;
  }

  override snapshotEnded(member: MemberId): void {
    super.snapshotEnded(member);
    this.#views.stateEnded(member);
  }

  stored(): void {
    this.outbox.stored();
    this.#commitByMajority();
    this.#views.beginIfComplete();
    this.#noteView();
  }

  get #role(): Role {
    if (this.leadership !== null) return 'leader';
    if (this.#views.isChanging && this.replica.mayCampaign) return 'candidate';
    return this.replica.isVoter ? 'follower' : 'learner';
  }

  /** Leads from when its view begins, and no longer. */
  #noteView(): void {
    if (!this.#views.isLeading) this.leadership = null;
    else if (this.leadership === null) {
      this.leadership = new Leadership(this.#views.view, this.settings, this.replica, this.outbox);
      this.leadership.begin();
    }
  }

  #stepOfPrimary(message: Append | Heartbeat): void {
    this.#views.follow(message.term, message.from);
    if (message.kind === 'append') this.replica.append(message);
    else this.replica.heartbeat(message);
  }

  #stateCame(message: Snapshot): void {
    if (message.from !== this.#views.leader) {
      this.#views.fetchedState(message);
      return;
    }
    this.#views.follow(message.term, message.from);
    this.replica.takeState(message);
  }

  /** The old primary learns that there is a later view, and stops leading. */
  #answerOldView(to: MemberId): void {
    const { lastIndex: index, lastTerm } = this.replica.log;
    const envelope = { from: this.settings.self, to, term: this.#views.view };
    this.outbox.sendNow({ kind: 'appended', ...envelope, isMatch: false, index, hint: { index, term: lastTerm } });
  }

  #commitByMajority(): void {
    if (this.leadership === null || this.leadership.commit()) return;
    // It was removed. The others need not wait until they miss it.
    const to = this.leadership.mostAdvanced;
    if (to === null) this.#views.stepDown();
    else this.#views.handOver(to);
  }

  protected handOver(): void {
    const to = this.leadership?.successor ?? null;
    if (to !== null && this.#views.isLeading) this.#views.handOver(to);
  }
}
