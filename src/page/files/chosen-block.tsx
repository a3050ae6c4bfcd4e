// The vote on one block in sentences, and each replica's ballot; then what votes
// showed before.
import { BALLOT_WORDS, ballotKind, explainVote, type SeenRepair, type SeenVote } from '../../explain/vote.js';
import { countText, sizeText, timeText } from '../parts/figures.js';
import { SIGNS } from './ballot-kinds.js';
import type { Seen, Vote } from './ballots.js';

interface Props {
  index: number;
  vote: Seen;
  earlier: readonly Vote[];
}

export function ChosenBlock({ index, vote, earlier }: Props) {
  return (
    <section class="panel stack chosen-block" aria-labelledby="chosen-block">
      <h2 id="chosen-block">Block {countText(index)}</h2>
      <div aria-live="polite" class="stack">
        {vote === undefined ? <p class="soft">The replicas are being asked.</p> : null}
        {vote === null ? <p>A hole: nobody stores it, and it reads as zeros. There is nothing to vote on.</p> : null}
        {vote ? <p class="sentences">{sentences(vote, [])}</p> : null}
      </div>
      {vote ? <BallotTable vote={vote} /> : null}
      {vote && earlier.length > 0 ? (
        <>
          <h3>Before</h3>
          <ol class="earlier stack">
            {earlier.map((before, at) => (
              <li key={`${before.timeMs} ${before.block.version}`}>
                <span class="soft">{timeText(before.timeMs)}</span>{' '}
                {sentences(before, repairsSince(before, earlier[at - 1] ?? vote))}
                {before.block.version === vote.block.version ? null : ' It was written anew since.'}
              </li>
            ))}
          </ol>
        </>
      ) : null}
    </section>
  );
}

function sentences(vote: Vote, repairs: readonly SeenRepair[]): string {
  return explainVote(seen(vote), vote.readQuorum, repairs);
}

function seen({ block, servers }: Vote): SeenVote {
  const ballots = block.ballots.map((ballot, at) => ({ server: servers[at] ?? '', ballot }));
  return { witness: block.witness, ballots };
}

/** What was put back between the vote and the one after it. */
function repairsSince(before: Vote, after: Vote): SeenRepair[] {
  if (before.block.version !== after.block.version) return [];
  return after.block.repairs.flatMap(({ server, agoMs, afterMs }) => {
    const sinceMs = after.timeMs - agoMs - before.timeMs;
    return sinceMs < 0 ? [] : [{ server, afterMs: afterMs ?? sinceMs }];
  });
}

function BallotTable({ vote }: { vote: Vote }) {
  const { block, servers } = vote;
  return (
    <>
      <table class="ballots">
        <caption class="hidden">Ballots on this block</caption>
        <thead>
          <tr>
            <th scope="col">Replica</th>
            <th scope="col">Ballot</th>
            <th scope="col">Hash</th>
          </tr>
        </thead>
        <tbody>
          {block.ballots.map((ballot, at) => {
            const kind = ballotKind(ballot, block.witness);
            return (
              <tr key={servers[at]}>
                <th scope="row">{servers[at]}</th>
                <td>
                  <span class={`cell ${kind}`} aria-hidden="true">
                    {SIGNS[kind]}
                  </span>{' '}
                  {BALLOT_WORDS[kind]}
                </td>
                <td class="mono">{ballot.state === 'present' ? ballot.hash : '–'}</td>
              </tr>
            );
          })}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">witness</th>
            <td>Qr {vote.readQuorum}</td>
            <td class="mono">{block.witness}</td>
          </tr>
        </tfoot>
      </table>
      <p class="soft">
        Version {String(block.version)}, {sizeText(block.length)}. Voted at {timeText(vote.timeMs, true)}.
      </p>
    </>
  );
}
