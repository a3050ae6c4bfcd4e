// Measures what a protocol does under a fault: five clients read and write all the while, each beginning at a server of its own.
import type { Catalog } from '../../../../src/catalog/catalog.js';
import { CatalogError } from '../../../../src/catalog/map/errors.js';
import type { Recorder } from '../../recording/recorder.js';
import { CatalogWorld } from '../catalog-world.js';
import { Client } from '../client.js';
import type { TableFault } from './faults.js';

export interface Measured {
  /** Servers that have answered a write while the fault lasted, after its first second. */
  readonly answering: number;
  /** The longest time that a client got no answer to writes, from when the fault began. Infinity: until it ended. */
  readonly longestWaitMs: number;
  /** Reads that found less than had been answered before they began, and did not say so. */
  readonly staleReads: number;
  readonly reads: number;
  /** Paths whose last answered update is gone at the end. */
  readonly lostUpdates: number;
  /** How many different maps there were when the fault ended. */
  readonly differentMaps: number;
  /** From the end of the fault until all servers had the same map; null when that did not happen. */
  readonly agreedAfterMs: number | null;
  readonly moments: Moments;
}

/** When what each number counts was to be seen, in milliseconds of the run. */
export type Moments = Readonly<
  Record<'answering' | 'longestWait' | 'staleReads' | 'lostUpdates' | 'differentMaps' | 'agreed', number>
>;

const SERVERS = 5;
const SEED = 1;
const BEFORE_MS = 1000;
/** Of this, a recording has the end. */
const RECORDED_BEFORE_MS = 300;
const FAULT_MS = 3000;
const SETTLE_MS = 1000;
const AGREE_LIMIT_MS = 20_000;
const GOSSIP_MS = 1000;
/** Between two requests of a client. */
const PAUSE_MS = 40;
/** A client asks another server after so long. */
const PATIENCE_MS = 500;

/** @param recorder is told all that happens from shortly before the fault */
export async function measure(
  protocol: Catalog['protocol'],
  fault: TableFault,
  recorder?: Recorder,
): Promise<Measured> {
  if (recorder !== undefined) recorder.fromUs = Number.POSITIVE_INFINITY;
  const world = new CatalogWorld({ seed: SEED, protocol, servers: SERVERS, config: { gossipMs: GOSSIP_MS }, recorder });
  world.start();
  const run = new TableRun(world, recorder);
  await run.prepare();
  const clients = Array.from({ length: SERVERS }, (_, number) => run.work(number));
  await world.run(BEFORE_MS);
  const leader = world.servers.find(({ isLeading }) => isLeading) ?? world.servers[0];
  if (leader === undefined) throw new Error('a world has servers');
  const places = { leader, others: world.servers.filter((server) => server !== leader) };
  run.faultBegins();
  recorder?.mark(`the fault begins: ${fault.name}`);
  fault.begin(world, places);
  await world.run(FAULT_MS);
  run.faultEnds();
  recorder?.mark('the fault ends');
  const differentMaps = run.differentMaps;
  fault.end?.(world, places);
  world.restoreAll();
  run.end();
  await world.settle('the clients end', Promise.all(clients), AGREE_LIMIT_MS);
  const agreedAfterMs = await world.until('all agree', () => run.differentMaps === 1, AGREE_LIMIT_MS).catch(() => null);
  const sinceFaultMs = run.sinceFaultMs;
  const agreed = world.nowMs;
  recorder?.mark(agreedAfterMs === null ? 'they do not agree' : 'all servers have the same map');
  recorder?.end();
  const lostUpdates = await run.lostUpdates();
  world.end();
  const numbers = { lostUpdates, differentMaps, agreedAfterMs: agreedAfterMs === null ? null : sinceFaultMs };
  return { ...run.measured, ...numbers, moments: { ...run.moments, agreed } };
}

/** What one update costs: messages between servers, beyond those of servers that have nothing to do. */
export async function messagesAnUpdate(protocol: Catalog['protocol']): Promise<number> {
  const world = new CatalogWorld({ seed: SEED, protocol, servers: SERVERS, config: { gossipMs: GOSSIP_MS } });
  world.start();
  const client = new Client(world);
  await client.change({ kind: 'create', path: '/p', value: new Uint8Array() });
  await world.run(BEFORE_MS);
  const idle = await counted(world, () => world.run(FAULT_MS));
  const updates = 50;
  const beganMs = world.nowMs;
  const busy = await counted(world, async () => {
    for (let update = 0; update < updates; update++) {
      await client.change({ kind: 'set', path: '/p', value: new Uint8Array(1) });
      await world.run(PAUSE_MS);
    }
  });
  const share = (world.nowMs - beganMs) / FAULT_MS;
  world.end();
  return (busy - idle * share) / updates;
}

async function counted(world: CatalogWorld, action: () => Promise<void>): Promise<number> {
  const before = world.network.messages;
  await action();
  return world.network.messages - before;
}

class TableRun {
  #faultBeganMs = Number.POSITIVE_INFINITY;
  #faultEndedMs = Number.POSITIVE_INFINITY;
  #isOver = false;
  #reads = 0;
  #staleReads = 0;
  readonly #answering = new Set<string>();
  /** By client. */
  readonly #waits = new Map<number, number>();
  /** The last value that was answered to its writer, a number that grows, by path. */
  readonly #answered = new Map<string, number>();
  readonly #answeredAtMs = new Map<string, number>();
  /** Moments to look at are later than this. */
  #recordedFromMs = 0;
  #firstStaleMs: number | null = null;
  #lostAtMs: number | null = null;
  #longestWait = { ms: 0, sinceMs: 0 };

  readonly #world: CatalogWorld;

  readonly #recorder: Recorder | undefined;

  constructor(world: CatalogWorld, recorder: Recorder | undefined) {
    this.#world = world;
    this.#recorder = recorder;
  }

  async prepare(): Promise<void> {
    const client = new Client(this.#world);
    for (let number = 0; number < SERVERS; number++) {
      await client.change({ kind: 'create', path: pathOf(number), value: encode(0) });
    }
    await this.#world.run(2 * GOSSIP_MS);
    this.#recordedFromMs = this.#world.nowMs + BEFORE_MS - RECORDED_BEFORE_MS;
    if (this.#recorder !== undefined) this.#recorder.fromUs = this.#recordedFromMs * 1000;
  }

  faultBegins(): void {
    this.#faultBeganMs = this.#world.nowMs;
  }

  faultEnds(): void {
    this.#faultEndedMs = this.#world.nowMs;
  }

  end(): void {
    this.#isOver = true;
  }

  get sinceFaultMs(): number {
    return this.#world.nowMs - this.#faultEndedMs;
  }

  get differentMaps(): number {
    const maps = this.#world.servers.flatMap(({ running, host }) =>
      running === null || host.process?.isStopped
        ? []
        : [Array.from({ length: SERVERS }, (_, number) => running.catalog.versionHere(pathOf(number))).join()],
    );
    return new Set(maps).size;
  }

  get measured() {
    return {
      answering: this.#answering.size,
      longestWaitMs: Math.max(0, ...this.#waits.values()),
      staleReads: this.#staleReads,
      reads: this.#reads,
    };
  }

  /** What to look at for each number. */
  get moments(): Omit<Moments, 'agreed'> {
    return {
      answering: this.#faultBeganMs + SETTLE_MS,
      longestWait: this.#longestWait.sinceMs,
      staleReads: this.#firstStaleMs ?? this.#faultBeganMs,
      lostUpdates: this.#lostAtMs ?? this.#faultBeganMs,
      differentMaps: this.#faultEndedMs,
    };
  }

  #noteStale(client: Client, path: string, found: number, before: number): void {
    if (this.#world.nowMs < this.#recordedFromMs) return;
    if (this.#firstStaleMs === null)
      this.#recorder?.mark(`the first stale read: ${path} is ${before}, and ${client.name} found ${found}`);
    this.#firstStaleMs ??= this.#world.nowMs;
  }

  /** Of how many paths the last update that was answered is gone. */
  async lostUpdates(): Promise<number> {
    const client = new Client(this.#world);
    let lost = 0;
    for (const [path, value] of this.#answered) {
      if (decode((await client.get(path)).bytes) >= value) continue;
      lost++;
      this.#lostAtMs ??= this.#answeredAtMs.get(path) ?? null;
    }
    return lost;
  }

  /** A client writes its own path, and reads all others', until the end. */
  async work(number: number): Promise<void> {
    const client = new Client(this.#world, number, `client${number + 1}`);
    let lastAnswerMs = this.#world.nowMs;
    for (let turn = 1; !this.#isOver; turn++) {
      await this.#pause();
      const server = client.server.name;
      const isAnswered = await this.#write(client, number, turn);
      const nowMs = this.#world.nowMs;
      const isDuring = nowMs > this.#faultBeganMs && nowMs <= this.#faultEndedMs;
      if (isAnswered && isDuring && nowMs > this.#faultBeganMs + SETTLE_MS) this.#answering.add(server);
      if (isDuring || nowMs > this.#faultEndedMs)
        this.#noteWait(number, lastAnswerMs, Math.min(nowMs, this.#faultEndedMs));
      if (isAnswered) lastAnswerMs = nowMs;
      if (!this.#isOver) await this.#read(client, (number + turn) % SERVERS);
    }
  }

  #noteWait(number: number, sinceMs: number, nowMs: number): void {
    const waitedMs = nowMs - Math.max(sinceMs, this.#faultBeganMs);
    // Whoever waits until the end waits for the end.
    const isForGood = waitedMs >= FAULT_MS - PATIENCE_MS;
    this.#waits.set(number, Math.max(this.#waits.get(number) ?? 0, isForGood ? Number.POSITIVE_INFINITY : waitedMs));
    if (waitedMs > this.#longestWait.ms) {
      this.#longestWait = { ms: waitedMs, sinceMs: Math.max(sinceMs, this.#faultBeganMs) };
    }
  }

  async #write(client: Client, number: number, value: number): Promise<boolean> {
    const path = pathOf(number);
    const answer = client.once((catalog, asker) => catalog.change({ kind: 'set', path, value: encode(value) }, asker), {
      name: 'write',
      content: `${path} = ${value}`,
    });
    if ((await this.#answerOf(client, answer)) === undefined) return false;
    this.#answered.set(path, value);
    this.#answeredAtMs.set(path, this.#world.nowMs);
    return true;
  }

  async #read(client: Client, number: number): Promise<void> {
    const path = pathOf(number);
    const before = this.#answered.get(path) ?? 0;
    const found = await this.#answerOf(
      client,
      client.once((catalog, asker) => catalog.get(path, asker), { name: 'read', content: path }),
    );
    if (found === undefined) return;
    this.#reads++;
    if (decode(found.bytes) >= before || found.stale !== undefined) return;
    this.#staleReads++;
    this.#noteStale(client, path, decode(found.bytes), before);
  }

  /** undefined when there is none: the client goes on to the server that it was sent to, or to the next. */
  async #answerOf<T>(client: Client, answer: Promise<T>): Promise<T | undefined> {
    try {
      return await new Promise<T>((resolve, reject) => {
        const timer = this.#world.after(PATIENCE_MS, () => reject(new CatalogError('OUTCOME_UNKNOWN', 'too late')));
        answer.then(resolve, reject).finally(() => timer.cancel());
      });
    } catch (error) {
      if (!(error instanceof CatalogError)) throw error;
      const leader = this.#world.servers.find(({ name }) => name === error.leader?.name);
      if (leader === undefined) client.next();
      else client.goTo(leader);
      return undefined;
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#world.after(PAUSE_MS, resolve);
    });
  }
}

function pathOf(number: number): string {
  return `/p${number}`;
}

function encode(value: number): Uint8Array {
  return new TextEncoder().encode(String(value));
}

function decode(bytes: Uint8Array): number {
  return Number(new TextDecoder().decode(bytes));
}
