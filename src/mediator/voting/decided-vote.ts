// A vote that is over, for whoever watches: a recording of a run.
import type { Hash } from '../../protocol/values/hash.js';
import type { Replica } from '../replicas/replica.js';
import type { BallotBox } from './ballot-box.js';
import type { Ballot } from './vote.js';

export interface DecidedVote {
  inode: number;
  index: number;
  version: number;
  witness: Hash;
  readQuorum: number;
  /** Of the replicas that were asked; pending: it has not answered when the vote was over. */
  ballots: { server: string; ballot: Ballot | { state: 'pending' } }[];
}

/** @param silent were asked, and have not answered */
export function decidedVote(
  { wanted, ballots }: BallotBox,
  silent: readonly Replica[],
  readQuorum: number,
): DecidedVote {
  const { inode, reference } = wanted;
  const cast = [...ballots].map(([{ name }, ballot]) => ({ server: name, ballot }));
  const waited = silent.map(({ name }) => ({ server: name, ballot: { state: 'pending' } as const }));
  const { index, version, hash: witness } = reference;
  return { inode, index, version, witness, readQuorum, ballots: [...cast, ...waited] };
}
