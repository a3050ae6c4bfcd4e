// A catalog's group: who leads, who follows, what its protocol promises.
import type { GroupSnapshot } from '../../protocol/page/messages.js';
import { groups } from '../live/live.js';
import { useStore } from '../live/store.js';
import { type Mood, StateMark } from '../parts/state-mark.js';

const BAD: readonly string[] = ['unreachable', 'crashed', 'damaged'];
const BUSY: readonly string[] = ['candidate', 'learner', 'blank', 'recovering'];

export function GroupView() {
  const group = useStore(groups);
  if (group === null) return <p class="empty">Waiting for the first word of the server.</p>;
  const { name, protocol, isCrashed, servers, promise, details } = group;
  const away = servers.filter(({ role }) => BAD.includes(role)).length;
  return (
    <div class="cluster">
      <section class={`verdict ${isCrashed ? 'bad' : away > 0 ? 'busy' : 'good'}`} aria-labelledby="verdict">
        <div>
          <h1 id="verdict">{headline(group, away)}</h1>
          <p>{sentence(promise)}</p>
          <p class="soft">
            Protocol: {protocol}. All of this is as server {name} knows it.
          </p>
        </div>
      </section>
      <section aria-labelledby="servers">
        <h2 id="servers">Servers</h2>
        <ul class="cards">
          {servers.map((server) => (
            <li key={server.name} class={`card ${moodOf(server.role)}`}>
              <div class="card-head">
                <h3>{server.name}</h3>
                <StateMark mood={moodOf(server.role)}>{server.role}</StateMark>
              </div>
              <p class="address">
                <a href={`http://${server.address}/`}>{server.address}</a>
                {server.name === name ? <span>this one</span> : null}
              </p>
            </li>
          ))}
        </ul>
      </section>
      <section aria-labelledby="details">
        <h2 id="details">What server {name} knows</h2>
        <dl class="panel facts">
          {Object.entries(details).map(([key, value]) => (
            <div key={key}>
              <dt>{inWords(key)}</dt>
              <dd class="mono">{typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value)}</dd>
            </div>
          ))}
        </dl>
      </section>
    </div>
  );
}

function headline({ isCrashed, leader, name, protocol, servers }: GroupSnapshot, away: number): string {
  if (isCrashed) return `${name} is crashed: it takes no part until it is restored`;
  const lead =
    leader === null
      ? protocol === 'quorum' || protocol === 'lazy'
        ? 'All are equal'
        : 'Nobody leads'
      : `${leader} leads`;
  return away === 0
    ? `${lead}, and all ${servers.length} servers are there`
    : `${lead}; ${away} of ${servers.length} servers ${away === 1 ? 'is' : 'are'} away`;
}

function moodOf(role: string): Mood {
  return BAD.includes(role) ? 'bad' : BUSY.includes(role) ? 'busy' : 'good';
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}

/** lastIndex as «last index». */
function inWords(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
