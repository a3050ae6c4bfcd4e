// How the cluster is: what works and what it survives, its servers, and the last
// ten minutes.
import { useEffect } from 'preact/hooks';
import { survivalText } from '../../explain/survival.js';
import { listed } from '../../explain/words.js';
import type { ClusterSnapshot, PageDataServer } from '../../protocol/page/messages.js';
import { clusters } from '../live/live.js';
import { place } from '../live/place.js';
import { useStore } from '../live/store.js';
import { StateMark } from '../parts/state-mark.js';
import { Curves } from './curves.js';
import { QuorumStrip } from './quorum-strip.js';
import { DataServerCard, MediatorCard, MetaserverCard } from './server-cards.js';

export function ClusterView() {
  const snapshot = useStore(clusters);
  usePointedAt(snapshot !== null);
  if (snapshot === null) return <p class="empty">Waiting for the first word of the mediator.</p>;
  const { dataservers, metaservers, mediators } = snapshot;
  return (
    <div class="cluster">
      <Verdict snapshot={snapshot} />
      <section aria-labelledby="data-servers">
        <h2 id="data-servers">Data servers</h2>
        <ul class="cards">
          {dataservers.map((server) => (
            <DataServerCard key={server.name} server={server} />
          ))}
        </ul>
      </section>
      <section aria-labelledby="other-servers">
        <h2 id="other-servers">Metaservers and mediators</h2>
        <ul class="cards">
          {metaservers.map((server) => (
            <MetaserverCard key={server.name} server={server} isLone={metaservers.length === 1} />
          ))}
          {mediators.map((server) => (
            <MediatorCard key={server.name} server={server} isLone={mediators.length === 1} />
          ))}
        </ul>
      </section>
      {snapshot.role === 'active' ? <Curves /> : null}
    </div>
  );
}

/** A link to a server leads to its card. */
function usePointedAt(isShown: boolean): void {
  const { query } = useStore(place);
  const server = query.get('server');
  useEffect(() => {
    if (!isShown || server === null) return;
    const cards = [...document.querySelectorAll<HTMLElement>('[data-server]')];
    for (const card of cards) card.classList.toggle('pointed', card.dataset.server === server);
    cards.find((card) => card.dataset.server === server)?.scrollIntoView({ block: 'center' });
  }, [isShown, server]);
}

function Verdict({ snapshot }: { snapshot: ClusterSnapshot }) {
  const { readable, writable, readQuorum, writeQuorum, dataservers, audit, onWriteQuorumLost } = snapshot;
  const isWhole = dataservers.every(({ state, behind, trouble }) => state === 'up' && !behind && trouble === null);
  const mood = readable && writable ? (isWhole ? 'good' : 'busy') : 'bad';
  return (
    <section class={`verdict ${mood}`} aria-labelledby="verdict">
      <div>
        <h1 id="verdict">{headline(snapshot)}</h1>
        {survivalText(snapshot, snapshot.metadataProtocol)
          .split('\n')
          .map((line) => (
            <p key={line}>{line}</p>
          ))}
        <p class="soft">
          {audit === 'all'
            ? 'Every read checks every live replica (audit: all).'
            : `A read asks only ${readQuorum} replicas; scrubs find the rest (audit: quorum).`}
        </p>
      </div>
      <div class="verdict-facts">
        <QuorumStrip dataservers={dataservers} readQuorum={readQuorum} writeQuorum={writeQuorum} />
        <p class="verdict-marks">
          <StateMark mood={readable ? 'good' : 'bad'}>{readable ? 'readable' : 'not readable'}</StateMark>
          <StateMark mood={writable ? 'good' : 'bad'}>
            {writable ? 'writable' : onWriteQuorumLost === 'block' ? 'writes wait' : 'not writable'}
          </StateMark>
        </p>
      </div>
    </section>
  );
}

function headline({ readable, writable, dataservers, onWriteQuorumLost }: ClusterSnapshot): string {
  const refused = onWriteQuorumLost === 'block' ? 'writes wait' : 'writes are refused';
  if (!readable) return writable ? 'Reads fail, writes go on' : `Reads fail, and ${refused}`;
  if (!writable) return `Reads go on, ${refused}`;
  const named = (fits: (server: PageDataServer) => boolean): string[] =>
    dataservers.filter(fits).map(({ name }) => name);
  const down = named(({ state }) => state === 'down');
  const troubled = named(({ trouble }) => trouble !== null);
  const behind = named(({ state, behind: blocks }) => state !== 'up' || blocks !== 0);
  if (down.length > 0) return `Reads and writes go on without ${listed(down)}`;
  if (troubled.length > 0) return `Reads and writes go on, with trouble on ${listed(troubled)}`;
  if (behind.length === 0) return 'All is well: reads and writes go on';
  const lack = behind.length === 1 ? 'gets what it lacks' : 'get what they lack';
  return `Reads and writes go on while ${listed(behind)} ${lack}`;
}
