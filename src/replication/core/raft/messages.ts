// What members of a Raft group say to each other.
import type { Envelope } from '../core.js';
import type { LeaderMessage } from '../leader-messages.js';

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

export interface TakeOver extends Envelope {
  readonly kind: 'takeOver';
}

export type RaftMessage = LeaderMessage | AskVote | Vote | TakeOver;
