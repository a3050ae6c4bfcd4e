// The vote: a pure function over ballots, without clock or server. Must never
// name a winner that fewer than the quorum voted for or that contradicts the
// witness.
import type { Hash } from '../../protocol/values/hash.js';

/** One replica's answer about one version of one block. */
export type Ballot =
  | { state: 'present'; hash: Hash; length: number }
  | { state: 'absent' }
  | { state: 'damaged' }
  | { state: 'unreachable' };

export type Verdict =
  /** Outstanding ballots may still make a quorum. */
  | { outcome: 'pending' }
  /** At least `quorum` ballots carry `hash`, and it is the witness's. */
  | { outcome: 'agreed'; hash: Hash; agreeing: number }
  /** Even all outstanding ballots would not make one. */
  | { outcome: 'no-quorum'; agreeing: number };

/**
 * Counts the ballots cast so far.
 * @param ballots in any order
 * @param outstanding how many more may come
 * @param quorum how many equal ballots win, 1 or more
 * @param witness the hash kept in the metadata, which alone can win; null when there is none yet (the result of a patch): then
 *   the largest group wins, and a tie wins nothing
 */
export function vote(ballots: Iterable<Ballot>, outstanding: number, quorum: number, witness: Hash | null): Verdict {
  if (witness !== null) return voteFor(witness, ballots, outstanding, quorum);
  const counts = new Map<Hash, number>();
  for (const ballot of ballots) {
    if (ballot.state === 'present') counts.set(ballot.hash, (counts.get(ballot.hash) ?? 0) + 1);
  }
  let leader: Hash | null = null;
  let agreeing = 0;
  let runnerUp = 0;
  for (const [hash, count] of counts) {
    if (count > agreeing) {
      runnerUp = agreeing;
      agreeing = count;
      leader = hash;
    } else if (count > runnerUp) {
      runnerUp = count;
    }
  }
  // Without a witness another hash may win, so outstanding ballots must not be able to close the lead.
  if (leader !== null && agreeing >= quorum && agreeing > runnerUp + outstanding) {
    return { outcome: 'agreed', hash: leader, agreeing };
  }
  if (outstanding > 0) return { outcome: 'pending' };
  return { outcome: 'no-quorum', agreeing };
}

function voteFor(witness: Hash, ballots: Iterable<Ballot>, outstanding: number, quorum: number): Verdict {
  let agreeing = 0;
  for (const ballot of ballots) if (ballot.state === 'present' && ballot.hash === witness) agreeing++;
  if (agreeing >= quorum) return { outcome: 'agreed', hash: witness, agreeing };
  if (agreeing + outstanding >= quorum) return { outcome: 'pending' };
  return { outcome: 'no-quorum', agreeing };
}

/** Whether a ballot shows that its replica needs a repair, once `hash` has won. One that did not answer shows nothing. */
export function dissents(ballot: Ballot, hash: Hash): boolean {
  switch (ballot.state) {
    case 'present':
      return ballot.hash !== hash;
    case 'absent':
    case 'damaged':
      return true;
    case 'unreachable':
      return false;
  }
}
