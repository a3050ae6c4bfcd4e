// Which of several servers to ask, by what they say of themselves. Pure.
import type { Standing } from '../services/standing.js';

export interface Standings {
  /** What each server has said last; those that can't be asked, or have not answered yet, are missing. */
  statuses: ReadonlyMap<string, Pick<Standing, 'isServing' | 'term'>>;
  /** So many must have answered: one of these knows the highest term. */
  mustAnswer: number;
  /** Of the leader that was followed last; -1 before the first. */
  lastTerm: number;
  /** Who leads, by the word of a server that does not. */
  hint: string | undefined;
  /** Some server has said for a while that it serves. Others that are far away may not have been heard yet. */
  isLate: boolean;
}

/**
 * The name of the server that serves in the highest term; null when nobody does, or when one of a higher term may be among those
 * that have not answered. It is not when enough have: of metaservers more than half, since a leader is elected by more than half
 * of them. A mediator may be asked that serves in any later term than the last one: it knows by itself that it was not replaced.
 */
export function chooseLeader({ statuses, mustAnswer, lastTerm, hint, isLate }: Standings): string | null {
  let leader: string | null = null;
  let leaderTerm = -1;
  let highestTerm = lastTerm;
  for (const [name, { isServing, term }] of statuses) {
    highestTerm = Math.max(highestTerm, term);
    if (isServing && term > leaderTerm) {
      leader = name;
      leaderTerm = term;
    }
  }
  // A server without a leader may be in a later term than the one that serves.
  if (isLate) return leader;
  const isSure = leader === hint || statuses.size >= mustAnswer;
  return leaderTerm === highestTerm && isSure ? leader : null;
}
