// Events that fit a question, newest first: the last ones, older ones when they
// are asked for, and new ones as they come.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { EventsAnswer, EventsQuestion, LoggedEvent } from '../../protocol/page/messages.js';
import { ask } from '../live/ask.js';
import { connection, returns, snapshots } from '../live/live.js';
import { useStore } from '../live/store.js';

const PAGE = 100;
/** More make the page slow: the oldest ones go. */
const MOST = 5000;

export interface Events {
  events: readonly LoggedEvent[];
  /** The last one to a question that looks back; null before the first. */
  answer: EventsAnswer | null;
  failure: string | null;
  isAsking: boolean;
  older(): void;
}

/** @param sinceMs none that came before, when given */
export function useEvents(question: Omit<EventsQuestion, 'limit'>, sinceMs?: number): Events {
  const key = JSON.stringify([question, sinceMs]);
  const [events, setEvents] = useState<readonly LoggedEvent[]>([]);
  const [answer, setAnswer] = useState<EventsAnswer | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [isAsking, setAsking] = useState(false);
  const current = useRef(key);
  const isBusy = useRef(false);
  const snapshot = useStore(snapshots);
  const { state } = useStore(connection);

  const get = (more: Partial<EventsQuestion>, looksBack: boolean): void => {
    isBusy.current = true;
    setAsking(looksBack);
    ask
      .events({ ...question, since: sinceMs, limit: PAGE, ...more })
      .then(
        (found) => {
          if (current.current !== key) return;
          setEvents((before) => merged(before, found.events));
          if (looksBack) setAnswer(found);
          setFailure(null);
        },
        (error: unknown) => {
          if (current.current === key) setFailure(error instanceof Error ? error.message : String(error));
        },
      )
      .finally(() => {
        isBusy.current = false;
        setAsking(false);
      });
  };

  useEffect(() => {
    current.current = key;
    setEvents([]);
    setAnswer(null);
    get({}, true);
  }, [key]);

  useEffect(() => {
    if (answer === null || isBusy.current || state !== 'live' || document.hidden) return;
    const newest = events[0]?.timeMs ?? sinceMs;
    get(newest === undefined ? {} : { since: newest }, false);
  }, [snapshot]);

  const returned = useStore(returns);
  useEffect(() => {
    if (answer === null && failure !== null && !isBusy.current) get({}, true);
  }, [returned]);

  const older = (): void => get({ until: answer?.searchedMs ?? undefined }, true);
  return { events, answer, failure, isAsking, older };
}

/** Newest first, each once. */
function merged(known: readonly LoggedEvent[], more: readonly LoggedEvent[]): readonly LoggedEvent[] {
  const ids = new Set(known.map(({ id }) => id));
  const added = more.filter(({ id }) => !ids.has(id));
  if (added.length === 0) return known;
  return [...known, ...added].sort((left, right) => right.timeMs - left.timeMs).slice(0, MOST);
}
