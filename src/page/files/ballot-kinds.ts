// How each kind of ballot looks, besides its colour.
import { type BallotKind, ballotKind } from '../../explain/vote.js';
import type { Vote } from './ballots.js';

export const SIGNS: Record<BallotKind, string> = {
  agrees: '✓',
  dissents: '≠',
  absent: '∅',
  damaged: '!',
  unreachable: '✕',
  pending: '·',
};

export interface Row {
  kinds: readonly BallotKind[];
  agreeing: number;
  isAgreed: boolean;
}

export function rowOf({ block, readQuorum }: Vote): Row {
  const kinds = block.ballots.map((ballot) => ballotKind(ballot, block.witness));
  const agreeing = kinds.filter((kind) => kind === 'agrees').length;
  return { kinds, agreeing, isAgreed: agreeing >= readQuorum };
}
