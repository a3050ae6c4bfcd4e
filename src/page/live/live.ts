// The stream of snapshots from the mediator: the newest one, the last ten minutes,
// and whether the stream flows.
import type { ClusterSnapshot, GroupSnapshot, History, PageSnapshot, Sample } from '../../protocol/page/messages.js';
import { Store } from './store.js';

export type Connection =
  | { state: 'connecting' }
  | { state: 'live' }
  /** Since when, in milliseconds since 1970. */
  | { state: 'lost'; sinceMs: number };

/** The newest word of the server, whatever it says. */
export const snapshots = new Store<PageSnapshot | null>(null);
/** The last one that says how a cluster is; stays while nothing can be said. */
export const clusters = new Store<ClusterSnapshot | null>(null);
/** The same of a catalog's group. */
export const groups = new Store<GroupSnapshot | null>(null);
export const samples = new Store<readonly Sample[]>([]);
export const connection = new Store<Connection>({ state: 'connecting' });
/** Counts how often the server has come back, or has become another one: what it could not answer may be asked again. */
export const returns = new Store(0);

const MOST_SAMPLES = 300;
/** The server says something every second; one that is silent for so long is stopped, or cut off. */
const SILENCE_MS = 5000;
const RETRY_MS = 1500;
/** Whoever looks at another tab may come back at once. */
const HIDDEN_MS = 30_000;

let source: EventSource | null = null;
let hiding: ReturnType<typeof setTimeout> | undefined;
let silence: ReturnType<typeof setTimeout> | undefined;

/** Begins to listen, for as long as somebody may look. */
export function listen(): void {
  connect();
  // A browser has few connections for all its tabs with this server: one that nobody looks at takes none.
  addEventListener('pagehide', disconnect);
  addEventListener('pageshow', ({ persisted }) => {
    if (persisted) connect();
  });
  document.addEventListener('visibilitychange', () => {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(disconnect, HIDDEN_MS);
    else if (source === null) connect();
  });
}

function take(snapshot: PageSnapshot): void {
  if (snapshot.role === 'catalog') groups.value = snapshot;
  else if (snapshot.role !== 'troubled') {
    addSample(snapshot.sample);
    clusters.value = snapshot;
  }
  const isOther = snapshots.value?.role !== snapshot.role && snapshot.role !== 'troubled';
  snapshots.value = snapshot;
  if (isOther) returns.value++;
}

function disconnect(): void {
  clearTimeout(silence);
  source?.close();
  source = null;
}

function connect(): void {
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
    take(snapshot);
  });
  opened.addEventListener('error', () => {
    lost();
    // A browser gives up for good where the answer was no stream: a server that is starting, or asks for the secret anew.
    if (opened.readyState === EventSource.CLOSED) setTimeout(reconnect, RETRY_MS, opened);
  });
  watch();
}

function reconnect(failed: EventSource): void {
  if (source === failed) connect();
}

function heard(): void {
  const { state } = connection.value;
  if (state !== 'live') connection.value = { state: 'live' };
  if (state === 'lost') returns.value++;
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
    connect();
  }, SILENCE_MS);
}

function addSample(sample: Sample | null): void {
  const known = samples.value;
  if (sample === null || (known.at(-1)?.timeMs ?? 0) >= sample.timeMs) return;
  samples.value = [...known, sample].slice(-MOST_SAMPLES);
}
