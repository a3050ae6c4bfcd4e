// What members of a Raft group say to each other.
import type { Entry, Envelope, Mark, Outgoing } from '../core.js';

export interface AskVote extends Envelope {
  readonly kind: 'askVote';
  /** A trial changes no term and no vote. */
  readonly isTrial: boolean;
  /** Asked by the leader to take over: whoever hears the leader votes all the same. */
  readonly isTransfer: boolean;
  readonly lastIndex: number;
  readonly lastTerm: number;
}

export interface Vote extends Envelope {
  readonly kind: 'vote';
  readonly isTrial: boolean;
  readonly isGranted: boolean;
}

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

export interface TakeOver extends Envelope {
  readonly kind: 'takeOver';
}

export type RaftMessage = AskVote | Vote | Append | Appended | Heartbeat | Heard | Snapshot | TakeOver;
export type OutgoingRaftMessage = Outgoing<RaftMessage>;
