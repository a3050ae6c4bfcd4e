// What the cores of all protocols have in common. A core is the state machine of one member of a group. It is pure: it is given
// ticks, messages and proposals, and says what is to be stored and what is to be sent. It has no clock, no disk and no network,
// and never looks at what the group replicates.
import type { MemberId, Members } from './members.js';

export type Content =
  /** The first entry of a leader. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'members'; readonly members: Members }
  /** @param bytes the size of `data` on the wire */
  | { readonly kind: 'data'; readonly data: unknown; readonly bytes: number };

export interface Entry {
  readonly index: number;
  /** The term of the leader that made it; the view, in viewstamped replication. */
  readonly term: number;
  readonly content: Content;
}

/** What a member must never forget besides its log. */
export interface HardState {
  readonly term: number;
  /** Whom it voted for in that term; whom it expects to lead the view, in viewstamped replication. */
  readonly vote: MemberId | null;
}

/** A state of what is replicated that stands for all entries up to `index`. */
export interface Mark {
  readonly index: number;
  readonly term: number;
  /** As of `index`. */
  readonly members: Members;
}

/** What a member finds on its disk when it starts. */
export interface StoredState {
  readonly hardState: HardState;
  /** Where the entries begin. */
  readonly mark: Mark;
  readonly entries: Iterable<Entry>;
  /**
   * The last index that this member may have acknowledged, when its log has lost some of that; else 0. It takes no part in
   * elections until it knows that everything up to there is committed.
   */
  readonly damagedUpTo: number;
}

export const BLANK_HARD_STATE: HardState = { term: 0, vote: null };

export interface Envelope {
  readonly kind: string;
  readonly from: MemberId;
  readonly to: MemberId;
  readonly term: number;
}

/** The entries `first` … `last`, which whoever sends the message adds; none of them when `last` is `first` - 1. */
export interface EntryRange {
  readonly first: number;
  readonly last: number;
}

/** A message as a core hands it out: for entries, it says which. */
export type Outgoing<Message> = Message extends { readonly entries: readonly Entry[] }
  ? Omit<Message, 'entries'> & EntryRange
  : Message;

/** What may be done at once, whatever is being stored. */
export interface Sends<Message> {
  readonly messages: readonly Outgoing<Message>[];
  /** Members that need the state, because the entries that they lack are gone. */
  readonly snapshotsFor: readonly MemberId[];
}

/** What is to be stored, in this order, and then sent. */
export interface Writes<Message> {
  /** Replaces the state and the whole log. */
  readonly install: Mark | null;
  /** null when it is as it was. */
  readonly hardState: HardState | null;
  /** Storing entry i discards every stored entry from i on. */
  readonly entries: readonly Entry[];
  /** Sent once all that is on stable storage. */
  readonly afterwards: readonly Outgoing<Message>[];
}

export type Role = 'leader' | 'candidate' | 'follower' | 'learner';

export interface MemberProgress {
  readonly member: MemberId;
  /** What it is known to have stored. */
  readonly matched: number;
  readonly isActive: boolean;
  readonly needsSnapshot: boolean;
}

/** As it is when it is read. */
export interface CoreStatus {
  readonly role: Role;
  readonly term: number;
  readonly leader: MemberId | null;
  readonly lastIndex: number;
  readonly committed: number;
  /** Everything up to there is committed, and on the disk here. */
  readonly applicable: number;
  readonly members: Members;
  /** Of the leader: the highest round of heartbeats that a quorum has answered. */
  readonly confirmedRound: number;
  /** Of the leader: the last round that was sent. */
  readonly lastRound: number;
  /** Whether this is the leader, an entry of its own term is committed, and it is not about to hand over. */
  readonly isServing: boolean;
}

export type MembersRefusal =
  | 'not leader'
  | 'the leader is new: an entry of its own must be committed first'
  | 'a change is under way'
  | 'more than one voter differs'
  | 'no voter would be left';

export interface Core<Message extends Envelope = Envelope> {
  /** Cheap: a driver reads it after each step. */
  readonly status: CoreStatus;
  /** Of the leader: how far the others are; nobody at others. */
  readonly progress: readonly MemberProgress[];
  /** Time passes. All time limits of the settings are in ticks. */
  tick(): void;
  step(message: Message): void;
  /** `from` has sent the whole state that stands for `mark`, in `term`. It is installed if a write says so. */
  snapshotArrived(from: MemberId, term: number, mark: Mark): void;
  /** @returns the index of the entry; null when this is not the leader, or is about to hand over */
  propose(data: unknown, bytes: number): number | null;
  /** @returns the index of the entry, or why not */
  proposeMembers(members: Members): number | MembersRefusal;
  /** Of the leader: has a round of heartbeats sent, and answers its number. */
  startRound(): number;
  /** Of the leader: `member`, a voter, takes over as soon as it has everything. @returns whether that was begun */
  transfer(member: MemberId): boolean;
  /** Ends what `snapshotsFor` began, well or not. */
  snapshotEnded(member: MemberId): void;
  /** The entries up to `index`, all committed and stored, are not needed any more. */
  compact(index: number): void;
  /** An entry of the log that is not on the disk yet; undefined for others. */
  unstored(index: number): Entry | undefined;
  takeSends(): Sends<Message>;
  /** null when there is nothing to store and nothing to send afterwards. Not while other writes are under way. */
  takeWrites(): Writes<Message> | null;
  /** The writes that were taken are on stable storage. */
  stored(): void;
}
