// Events with their sentences: what has happened, and what, if anything, to do.
import { explainEvent } from '../../explain/events.js';
import type { LoggedEvent } from '../../protocol/page/messages.js';
import { linkTo } from '../live/place.js';
import { timeText } from '../parts/figures.js';
import { type Mood, StateMark } from '../parts/state-mark.js';

const MOODS: Record<LoggedEvent['level'], Mood> = {
  debug: 'idle',
  info: 'idle',
  warn: 'busy',
  error: 'bad',
  fatal: 'bad',
};
const SIGNS: Record<LoggedEvent['level'], string> = { debug: '·', info: 'i', warn: '!', error: '✕', fatal: '✕' };

export function EventList({ events }: { events: readonly LoggedEvent[] }) {
  return (
    <ol class="event-list" aria-label="Events, newest first">
      {events.map((event) => (
        <Event key={event.id} event={event} />
      ))}
    </ol>
  );
}

function Event({ event: { timeMs, level, server, event, fields } }: { event: LoggedEvent }) {
  const text = explainEvent(event, fields);
  const { inode, index } = fields;
  const block = typeof index === 'number' ? { block: String(index) } : {};
  const names = [...new Set([server, typeof fields.server === 'string' ? fields.server : server])];
  return (
    <li class={`event ${MOODS[level]}`}>
      <p class="event-head">
        <time dateTime={new Date(timeMs).toISOString()}>{timeText(timeMs, true)}</time>
        <StateMark mood={MOODS[level]} sign={SIGNS[level]}>
          {level}
        </StateMark>
        <span class="mono">{event}</span>
        <span class="event-links">
          {names.map((name) => (
            <a key={name} href={linkTo('cluster', '', { server: name })}>
              {name}
            </a>
          ))}
          {typeof inode === 'number' ? (
            <a href={linkTo('files', '', { inode: String(inode), ...block })}>the file</a>
          ) : null}
        </span>
      </p>
      <p class="event-text">
        {text?.means ?? 'An event of a version of nmrfs that this page does not know.'}
        {text === undefined || text.todo === null ? null : <span class="todo"> {text.todo}</span>}
      </p>
      {Object.keys(fields).length === 0 ? null : (
        <details>
          <summary>as logged</summary>
          <pre class="mono">{JSON.stringify(fields, null, 1)}</pre>
        </details>
      )}
    </li>
  );
}
