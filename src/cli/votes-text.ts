// `nmrfs votes` for people and as JSON: the ballots of each block, or what they come to in sentences.
import { explainVote } from '../explain/vote.js';
import type { Ballot, BlockVotes } from '../protocol/services/admin.js';
import { paint, table } from './output.js';

/** @param readQuorum adds what the vote came to, in two sentences */
export function votesAsJson(block: BlockVotes, readQuorum?: number): object {
  const { witness, ballots, ...rest } = block;
  const plain = ({ server, ballot }: BlockVotes['ballots'][number]): object =>
    ballot.state === 'present' ? { server, ...ballot, hash: hashText(ballot.hash) } : { server, ...ballot };
  const seen = { ...rest, witness: hashText(witness), ballots: ballots.map(plain) };
  return readQuorum === undefined ? seen : { ...seen, explanation: explainVote(block, readQuorum) };
}

export function votesText(blocks: readonly BlockVotes[]): string {
  const cell = (ballot: Ballot, witness: bigint): string => {
    if (ballot.state !== 'present') return paint('red', ballot.state);
    return ballot.hash === witness ? hashText(ballot.hash) : paint('red', `${hashText(ballot.hash)}!`);
  };
  const servers = blocks[0]?.ballots.map(({ server }) => server) ?? [];
  const columns = [
    { title: 'BLOCK', right: true },
    { title: 'VERSION', right: true },
    { title: 'VERDICT' },
    { title: 'AGREE', right: true },
    { title: 'WITNESS' },
    ...servers.map((title) => ({ title })),
  ];
  const rows = blocks.map((block) => [
    String(block.index),
    String(block.version),
    block.verdict === 'agreed' ? paint('green', block.verdict) : paint('red', 'no quorum'),
    String(block.agreeing),
    hashText(block.witness),
    ...block.ballots.map(({ ballot }) => cell(ballot, block.witness)),
  ]);
  return `${table(columns, rows)}\n(! marks a hash that is not the witness's)`;
}

/** Two sentences a block; neighbours of which the same is to be said stand in one line. */
export function explainedVotes(blocks: readonly BlockVotes[], readQuorum: number): string {
  const runs: { first: number; last: number; isAgreed: boolean; sentences: string }[] = [];
  for (const block of blocks) {
    const sentences = explainVote(block, readQuorum);
    const run = runs.at(-1);
    if (run !== undefined && run.sentences === sentences && run.last + 1 === block.index) run.last = block.index;
    else runs.push({ first: block.index, last: block.index, isAgreed: block.verdict === 'agreed', sentences });
  }
  return runs
    .map(({ first, last, isAgreed, sentences }) => {
      const title = first === last ? `Block ${first}:` : `Blocks ${first} to ${last}, each:`;
      return `${paint(isAgreed ? 'green' : 'red', title)} ${sentences}`;
    })
    .join('\n');
}

/** 16 hexadecimal digits. */
export function hashText(hash: bigint): string {
  return hash.toString(16).padStart(16, '0');
}
