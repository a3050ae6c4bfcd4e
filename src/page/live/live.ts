// The stream of snapshots from the mediator: the newest one, the last ten minutes,
// and whether the stream flows.
import type { History, PageSnapshot, Sample } from '../../protocol/page/messages.js';
import { Store } from './store.js';

export type Connection =
  | { state: 'connecting' }
  | { state: 'live' }
  /** Since when, in milliseconds since 1970. */
  | { state: 'lost'; sinceMs: number };

export const snapshots = new Store<PageSnapshot | null>(null);
export const samples = new Store<readonly Sample[]>([]);
export const connection = new Store<Connection>({ state: 'connecting' });

const MOST_SAMPLES = 300;
/** The server says something every second; one that is silent for so long is stopped, or cut off. */
const SILENCE_MS = 5000;
const RETRY_MS = 1500;

let source: EventSource | null = null;
let silence: ReturnType<typeof setTimeout> | undefined;

/** Begins to listen, and never ends. */
export function listen(): void {
  source?.close();
  const opened = new EventSource('page/live');
  source = opened;
  opened.addEventListener('history', (event) => {
    heard();
    const history: History = JSON.parse(event.data);
    samples.value = history.samples;
  });
  opened.addEventListener('snapshot', (event) => {
    heard();
    const snapshot: PageSnapshot = JSON.parse(event.data);
    if (snapshot.role !== 'troubled') addSample(snapshot.sample);
    snapshots.value = snapshot;
  });
  opened.addEventListener('error', () => {
    lost();
    // A browser gives up for good where the answer was no stream: a server that is starting, or asks for the secret anew.
    if (opened.readyState === EventSource.CLOSED) setTimeout(listen, RETRY_MS);
  });
  watch();
}

function heard(): void {
  if (connection.value.state !== 'live') connection.value = { state: 'live' };
  watch();
}

function lost(): void {
  if (connection.value.state !== 'lost') connection.value = { state: 'lost', sinceMs: Date.now() };
}

/** A connection that only looks alive is made anew. */
function watch(): void {
  clearTimeout(silence);
  silence = setTimeout(() => {
    lost();
    listen();
  }, SILENCE_MS);
}

function addSample(sample: Sample | null): void {
  const known = samples.value;
  if (sample === null || (known.at(-1)?.timeMs ?? 0) >= sample.timeMs) return;
  samples.value = [...known, sample].slice(-MOST_SAMPLES);
}
