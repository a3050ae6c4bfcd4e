// The vote: a pure function over ballots. It imports nothing that acts, knows
// no clock and no server, and must never name a winner that fewer than the
// quorum voted for or that contradicts the witness.
import type { Hash } from '../../protocol/values/hash.js';

/** One replica's answer about one version of one block. */
export type Ballot =
  | { state: 'present'; hash: Hash; length: number }
  | { state: 'absent' }
  | { state: 'damaged' }
  | { state: 'unreachable' };

export type Verdict =
  /** Ballots that are still out may bring a quorum about. */
  | { outcome: 'pending' }
  /** At least `quorum` ballots carry `hash`, and it is the witness's. */
  | { outcome: 'agreed'; hash: Hash; agreeing: number }
  /** Not even with all outstanding ballots. */
  | { outcome: 'no-quorum'; agreeing: number };

/**
 * Counts the ballots cast so far.
 * @param ballots those that have come in, in any order
 * @param outstanding how many more may still come
 * @param quorum how many equal ballots win, 1 or more
 * @param witness the hash kept in the metadata; null when there is none yet (the result of a patch), and then the
 *   largest group wins, unless another is as large
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
  // Without a witness a tie could still turn around, so the lead must be safe from what is outstanding.
  if (leader !== null && agreeing >= quorum && agreeing > runnerUp + outstanding) {
    return { outcome: 'agreed', hash: leader, agreeing };
  }
  if (outstanding > 0) return { outcome: 'pending' };
  return { outcome: 'no-quorum', agreeing };
}

/** With a witness, no other hash can win. */
function voteFor(witness: Hash, ballots: Iterable<Ballot>, outstanding: number, quorum: number): Verdict {
  let agreeing = 0;
  for (const ballot of ballots) if (ballot.state === 'present' && ballot.hash === witness) agreeing++;
  if (agreeing >= quorum) return { outcome: 'agreed', hash: witness, agreeing };
  if (agreeing + outstanding >= quorum) return { outcome: 'pending' };
  return { outcome: 'no-quorum', agreeing };
}

/** Whether a ballot shows a replica that needs a repair, once `hash` has won. Silence is no evidence. */
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
