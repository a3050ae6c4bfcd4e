// What the cores of all protocols with a leader do alike, however one comes to lead.
import { assert } from '../../runtime/assert.js';
import type { Core, CoreStatus, Entry, Envelope, Mark, MemberProgress, MembersRefusal, Sends, Writes } from './core.js';
import type { Snapshot } from './leader-messages.js';
import type { Leadership } from './leadership.js';
import type { MemberId, Members } from './members.js';
import type { Outbox } from './outbox.js';
import type { Replica } from './replica.js';
import type { CoreSettings } from './settings.js';

export abstract class LedCore<Message extends Envelope> implements Core<Message> {
  /** While it leads. */
  protected leadership: Leadership | null = null;
  protected abstract readonly outbox: Outbox<Message>;
  protected abstract replica: Replica;
  protected readonly settings: CoreSettings;

  constructor(settings: CoreSettings) {
    this.settings = settings;
  }

  abstract get status(): CoreStatus;
  abstract tick(): void;
  abstract step(message: Message | Snapshot): void;
  abstract stored(): void;

  get progress(): readonly MemberProgress[] {
    return this.leadership?.progress ?? [];
  }

  snapshotArrived(from: MemberId, term: number, mark: Mark): void {
    this.step({ kind: 'snapshot', from, to: this.settings.self, term, mark });
  }

  propose(data: unknown, bytes: number): number | null {
    return this.leadership?.propose({ kind: 'data', data, bytes }) ?? null;
  }

  proposeMembers(members: Members): number | MembersRefusal {
    return this.leadership?.proposeMembers(members) ?? 'not leader';
  }

  startRound(): number {
    assert(this.leadership !== null, 'only a leader has rounds of heartbeats');
    return this.leadership.startRound();
  }

  transfer(member: MemberId): boolean {
    const isBegun = this.leadership?.beginTransfer(member) ?? false;
    this.handOver();
    return isBegun;
  }

  snapshotEnded(member: MemberId): void {
    this.leadership?.snapshotEnded(member);
  }

  compact(index: number): void {
    this.replica.compact(index);
  }

  unstored(index: number): Entry | undefined {
    return this.outbox.unstored(index);
  }

  takeSends(): Sends<Message> {
    if (this.maySendEntries) this.leadership?.sendEntries();
    return this.outbox.takeSends();
  }

  takeWrites(): Writes<Message> | null {
    return this.outbox.takeWrites();
  }

  /** Most leaders send entries while they store them. */
  protected get maySendEntries(): boolean {
    return true;
  }

  /** Tells whoever is to take over, once it has everything. */
  protected abstract handOver(): void;
}
