// What the servers log, in one stream, newest first, with what it means.
import { EVENT_NAMES } from '../../explain/events.js';
import type { EventsQuestion } from '../../protocol/page/messages.js';
import { clusters } from '../live/live.js';
import { linkTo, moveTo, place } from '../live/place.js';
import { useStore } from '../live/store.js';
import { timeText } from '../parts/figures.js';
import { EventList } from './event-list.js';
import { FileFilter } from './file-filter.js';
import { useEvents } from './use-events.js';

/** The first words of events' names. */
const KINDS = [...new Set(EVENT_NAMES.map((name) => name.split('.')[0] ?? name))].sort();
const LOGGING_BESIDES = ['mount', 'supervisor'];
const FILTERS = ['server', 'kind', 'inode', 'trouble'] as const;

type Filters = Partial<Record<(typeof FILTERS)[number], string>>;

export function EventsView() {
  const { query } = useStore(place);
  const cluster = useStore(clusters);
  const filters: Filters = Object.fromEntries(
    FILTERS.flatMap((name) => {
      const value = query.get(name);
      return value === null || value === '' ? [] : [[name, value]];
    }),
  );
  const { events, answer, failure, older, isAsking } = useEvents(questionOf(filters));
  const servers = [
    ...(cluster === null
      ? []
      : [...cluster.mediators, ...cluster.metaservers, ...cluster.dataservers].map(({ name }) => name)),
    ...LOGGING_BESIDES,
  ];
  const set = (changes: Filters): void => {
    const next = Object.entries({ ...filters, ...changes }).filter(([, value]) => value !== '');
    moveTo(linkTo('events', '', Object.fromEntries(next)));
  };
  return (
    <div class="events stack">
      <h1>Events</h1>
      <form class="row" onSubmit={(event) => event.preventDefault()}>
        <label class="check" for="events-server">
          Server
          <Choice
            id="events-server"
            value={filters.server ?? ''}
            options={servers}
            all="all servers"
            choose={(server) => set({ server })}
          />
        </label>
        <label class="check" for="events-kind">
          Kind
          <Choice
            id="events-kind"
            value={filters.kind ?? ''}
            options={KINDS}
            all="all kinds"
            choose={(kind) => set({ kind })}
          />
        </label>
        <FileFilter key={filters.inode ?? ''} inode={filters.inode ?? ''} choose={(inode) => set({ inode })} />
        <label class="check">
          <input
            type="checkbox"
            checked={filters.trouble === '1'}
            onChange={({ currentTarget }) => set({ trouble: currentTarget.checked ? '1' : '' })}
          />
          warnings and errors only
        </label>
        {Object.keys(filters).length === 0 ? null : (
          <button type="button" onClick={() => moveTo(linkTo('events'))}>
            Show all
          </button>
        )}
      </form>
      {failure === null ? null : (
        <p class="failure" role="alert">
          The logs can't be read: {failure}.
        </p>
      )}
      <EventList events={events} />
      {events.length === 0 && answer !== null ? <p class="empty">{nothing(answer)}</p> : null}
      <p class="row">
        {answer?.hasOlder === true ? (
          <button type="button" disabled={isAsking} onClick={older}>
            Older ones
          </button>
        ) : null}
        <span class="soft">{answer === null ? 'The logs are being read.' : reach(answer)}</span>
      </p>
    </div>
  );
}

function questionOf({ server, kind, inode, trouble }: Filters): Omit<EventsQuestion, 'limit'> {
  return {
    ...(server === undefined ? {} : { server }),
    ...(kind === undefined ? {} : { kind }),
    ...(inode === undefined ? {} : { inode: Number(inode) }),
    ...(trouble === '1' ? { isTrouble: true } : {}),
  };
}

/** A look back is made in steps: with a filter that seldom fits, some find nothing. */
function nothing({ hasOlder, searchedMs }: { hasOlder: boolean; searchedMs: number | null }): string {
  return hasOlder && searchedMs !== null ? `No event fits back to ${timeText(searchedMs)}.` : 'No event fits.';
}

/** How far back it goes, and whose events are not here. */
function reach({ oldestMs, elsewhere }: { oldestMs: number | null; elsewhere: readonly string[] }): string {
  const since =
    oldestMs === null
      ? 'No logs are kept on this machine.'
      : `The logs on this machine go back to ${timeText(oldestMs)}.`;
  if (elsewhere.length === 0) return since;
  return `${since} Those of ${elsewhere.join(', ')} are on other hosts, or go elsewhere than to the run directory: they are not at hand here.`;
}

interface ChoiceProps {
  id: string;
  value: string;
  options: readonly string[];
  /** What stands for no choice. */
  all: string;
  choose: (value: string) => void;
}

function Choice({ id, value, options, all, choose }: ChoiceProps) {
  const known = value === '' || options.includes(value) ? options : [...options, value];
  return (
    <select id={id} value={value} onChange={({ currentTarget }) => choose(currentTarget.value)}>
      <option value="">{all}</option>
      {known.map((option) => (
        <option key={option} value={option}>
          {option}
        </option>
      ))}
    </select>
  );
}
