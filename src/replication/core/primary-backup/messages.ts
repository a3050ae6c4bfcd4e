// What members of a group with a primary and backups say to each other.
import type { Envelope } from '../core.js';
import type { LeaderMessage } from '../leader-messages.js';
import type { MemberId } from '../members.js';

/** The members as of some entry of a log: the later the entry, the newer. */
export interface Roll {
  readonly index: number;
  readonly term: number;
  readonly voters: readonly MemberId[];
}

/** To all others, at an interval. */
export interface Helo extends Envelope {
  readonly kind: 'helo';
  readonly roll: Roll;
  /** Whether it is the primary of its term. */
  readonly isPrimary: boolean;
  /** It may lack what was acknowledged. */
  readonly isReturning: boolean;
  /** Its log is whole, as far as it knows. */
  readonly isWhole: boolean;
  /** Of this start of the sender, and the last one that the sender has heard of the receiver: 0 when it has heard none. */
  readonly start: number;
  readonly heardStart: number;
}

/** Its log is another one than the primary's: it needs the whole state. */
export interface NeedState extends Envelope {
  readonly kind: 'needState';
}

/** Asked by the primary to take over. */
export interface TakeOver extends Envelope {
  readonly kind: 'takeOver';
}

export type PrimaryMessage = LeaderMessage | Helo | NeedState | TakeOver;
