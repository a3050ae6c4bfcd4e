// N replicas as a row of pips, and below it how many of them a read and a write
// need.
import type { PageDataServer } from '../../protocol/page/messages.js';

interface Props {
  dataservers: readonly PageDataServer[];
  readQuorum: number;
  writeQuorum: number;
}

/** Those that hold all first: a quorum reaches as far as it finds them. */
const ORDER = ['whole', 'part', 'down'] as const;

export function QuorumStrip({ dataservers, readQuorum, writeQuorum }: Props) {
  const pips = dataservers
    .map(({ name, state, behind, trouble }) => {
      const isWhole = state === 'up' && behind === 0 && trouble === null;
      return { name, kind: isWhole ? ORDER[0] : state === 'down' ? ORDER[2] : ORDER[1] };
    })
    .sort((left, right) => ORDER.indexOf(left.kind) - ORDER.indexOf(right.kind));
  const count = dataservers.length;
  return (
    <dl class="quorums" data-count={count}>
      <div>
        <dt>N</dt>
        <dd>
          <span class="quorum-number">{count}</span>
          <span class="pips" aria-hidden="true">
            {pips.map(({ name, kind }) => (
              <span key={name} class={`pip ${kind}`} title={name} />
            ))}
          </span>
        </dd>
      </div>
      <Quorum name="Qr" meaning="must agree on a read" needed={readQuorum} count={count} />
      <Quorum name="Qw" meaning="must store a write" needed={writeQuorum} count={count} />
    </dl>
  );
}

function Quorum({ name, meaning, needed, count }: { name: string; meaning: string; needed: number; count: number }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <span class="quorum-number">{needed}</span>
        <span class="pips" aria-hidden="true">
          {Array.from({ length: count }, (_, at) => (
            <span key={at} class={at < needed ? 'reach' : 'reach open'} />
          ))}
        </span>
        <span class="quorum-meaning">{meaning}</span>
      </dd>
    </div>
  );
}
