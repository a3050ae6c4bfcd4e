// What a server that is one of several says of itself: to those who look for the
// one that answers, and to the others.
import type { ServerPlace } from './group.js';
import type { CallOptions } from './service.js';

export interface Standing {
  /** leader, follower …; active, standby. */
  role: string;
  /** Whether it answers what the group is there for. */
  isServing: boolean;
  /** Of several that serve, the one of the highest term does: the term of Raft, a view, a mediator's epoch. */
  term: number;
  /** Where the servers of the group are, those that were added while it ran too. */
  servers?: readonly ServerPlace[];
  /** Why it takes no part, in words; empty when it does. */
  reason: string;
}

/** Of a mediator; metaservers have theirs in GroupService. */
export interface StandingService {
  status(request: Record<string, never>, options?: CallOptions): Promise<Standing>;
  /** How many data servers it reaches; a standby asks them for that. */
  reach(request: Record<string, never>, options?: CallOptions): Promise<{ dataservers: number }>;
}
