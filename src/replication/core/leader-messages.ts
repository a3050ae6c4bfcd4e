// What a leader and its followers say to each other, in every protocol that has a leader. In «Viewstamped Replication Revisited»
// an append is a Prepare, what answers it a PrepareOK, and a heartbeat a Commit.
import type { Entry, Envelope, Mark } from './core.js';
import type { Outbox } from './outbox.js';

export interface Append extends Envelope {
  readonly kind: 'append';
  readonly previousIndex: number;
  readonly previousTerm: number;
  readonly committed: number;
  readonly entries: readonly Entry[];
}

export interface Appended extends Envelope {
  readonly kind: 'appended';
  readonly isMatch: boolean;
  /** What matches, up to there; or the `previousIndex` that does not. */
  readonly index: number;
  /** The last entry that may match. */
  readonly hint: { readonly index: number; readonly term: number };
}

export interface Heartbeat extends Envelope {
  readonly kind: 'heartbeat';
  readonly committed: number;
  readonly round: number;
}

export interface Heard extends Envelope {
  readonly kind: 'heard';
  readonly round: number;
}

/** The whole state has come. */
export interface Snapshot extends Envelope {
  readonly kind: 'snapshot';
  readonly mark: Mark;
}

export type LeaderMessage = Append | Appended | Heartbeat | Heard | Snapshot;

/** What a leader and a follower use of the outbox of any protocol. */
export type LeaderOutbox = Omit<Outbox<LeaderMessage>, 'takeSends' | 'takeWrites'>;
