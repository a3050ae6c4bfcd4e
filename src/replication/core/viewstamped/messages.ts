// What members of a group of viewstamped replication say to each other. The field `term` of every message is a view.
import type { Entry, Envelope } from '../core.js';
import type { LeaderMessage } from '../leader-messages.js';
import type { MemberId } from '../members.js';

/** Asks whether the other hears no primary either. Changes no view. */
export interface Probe extends Envelope {
  readonly kind: 'probe';
}

/** It hears none. */
export interface Silence extends Envelope {
  readonly kind: 'silence';
}

/** The view begins, once its primary has heard of a quorum. */
export interface StartViewChange extends Envelope {
  readonly kind: 'startViewChange';
  readonly primary: MemberId;
  /** The view whose primary hands over: nobody need wait for it any more. 0 when none does. */
  readonly released: number;
}

/** To the primary of the new view: the sender takes nothing of earlier views any more, and this is its log. */
export interface DoViewChange extends Envelope {
  readonly kind: 'doViewChange';
  readonly lastIndex: number;
  /** The last view in which the sender was normal. */
  readonly lastTerm: number;
  readonly committed: number;
  readonly released: number;
}

/** From the primary of a view that has not begun: it wants what comes behind this entry. */
export interface Fetch extends Envelope {
  readonly kind: 'fetch';
  readonly index: number;
  readonly indexTerm: number;
}

export interface Fetched extends Envelope {
  readonly kind: 'fetched';
  readonly previousIndex: number;
  readonly previousTerm: number;
  readonly entries: readonly Entry[];
}

export type ChangeMessage = Probe | Silence | StartViewChange | DoViewChange | Fetch | Fetched;
export type ViewstampedMessage = LeaderMessage | ChangeMessage;
