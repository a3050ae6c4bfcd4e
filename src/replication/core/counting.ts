// How many members a leader must have heard of, for what: a majority in most protocols.
import { isMajority, type MemberId, type Members, reachedByMajority } from './members.js';

export interface Counting {
  /** The highest number that enough voters have reached for an entry to be committed. */
  committed(members: Members, numberOf: (voter: MemberId) => number): number;
  /** The highest round of heartbeats whose answers show that the leader leads. */
  confirmed(members: Members, numberOf: (voter: MemberId) => number): number;
  /** Whether the leader may go on with those that it hears of. */
  suffices(members: Members, isHeard: (voter: MemberId) => boolean): boolean;
}

export const BY_MAJORITY: Counting = {
  committed: reachedByMajority,
  confirmed: reachedByMajority,
  suffices: isMajority,
};

/** All voters must have an entry; a leader asks nobody whether it leads. */
export const BY_ALL: Counting = {
  committed: ({ voters }, numberOf) => (voters.length === 0 ? 0 : Math.min(...voters.map(numberOf))),
  confirmed: ({ voters }, numberOf) => Math.max(0, ...voters.map(numberOf)),
  suffices: () => true,
};
