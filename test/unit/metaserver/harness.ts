// What the metaserver's tests stand on: a clock that tests turn, storages that
// can crash, and a metaserver with short names for its commands.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Engine } from '../../../src/metaserver/engine/engine.js';
import type { EngineFactory, Storage } from '../../../src/metaserver/engine/storage.js';
import { type Metaserver, openMetaserver } from '../../../src/metaserver/metaserver.js';
import { groupEngine } from '../../../src/metaserver/storage/group-engine.js';
import { lmdbEngine } from '../../../src/metaserver/storage/lmdb-engine.js';
import { MemoryStore, memoryEngine } from '../../../src/metaserver/storage/memory-engine.js';
import { Tables } from '../../../src/namespace/state/tables.js';
import { FileError, ServiceError } from '../../../src/protocol/errors.js';
import type { Attributes, FileKind } from '../../../src/protocol/services/files.js';
import type {
  BlockChange,
  CommandName,
  Commands,
  MetadataService,
  Queries,
  QueryName,
} from '../../../src/protocol/services/metadata.js';
import { type Log, silentLog } from '../../../src/runtime/log.js';
import { nodeDisk } from '../../../src/runtime/node/disk.js';
import type { Runtime } from '../../../src/runtime/runtime.js';
import { AnsweringMediator } from '../../support/answering-mediator.js';
import { MemoryDisk } from '../../support/memory-disk.js';

export const BLOCK_BYTES = 4096;
export const ROOT = 1;

/** Pseudo-random numbers in [0, 1) from a seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A runtime whose clock stands still until `advance`, on the real disk where one is needed. */
export class TestRuntime implements Runtime {
  readonly #timers: { dueMs: number; action: () => void }[] = [];
  #nowMs = 0;
  readonly log: Log;
  readonly random: Runtime['random'];

  constructor(log: Log = silentLog) {
    this.log = log;
    const next = seeded(7);
    this.random = {
      fraction: next,
      bytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(next() * 256)),
    };
  }

  readonly clock: Runtime['clock'] = {
    nowNs: () => BigInt(Math.round(this.#nowMs * 1e6)),
    monotonicMs: () => this.#nowMs,
    afterTurn: (action) => queueMicrotask(action),
    after: (delayMs, action) => {
      const timer = { dueMs: this.#nowMs + delayMs, action };
      this.#timers.push(timer);
      return {
        cancel: () => {
          const at = this.#timers.indexOf(timer);
          if (at >= 0) this.#timers.splice(at, 1);
        },
      };
    },
  };

  get pendingTimers(): number {
    return this.#timers.length;
  }

  advance(byMs: number): void {
    this.#nowMs += byMs;
    const due = this.#timers.filter((timer) => timer.dueMs <= this.#nowMs);
    for (const timer of due) {
      this.#timers.splice(this.#timers.indexOf(timer), 1);
      timer.action();
    }
  }

  readonly disk: Runtime['disk'] = {
    ...unused<Runtime['disk']>('disk'),
    makeDirectory: async (path) => {
      mkdirSync(path, { recursive: true });
    },
    syncDirectory: async () => {},
    space: (path) => nodeDisk.space(path),
    open: (path, mode) => nodeDisk.open(path, mode),
  };

  readonly network = unused<Runtime['network']>('network');
}

function unused<T extends object>(what: string): T {
  return new Proxy({} as T, {
    get(_target, member) {
      throw new Error(`a metaserver does not use ${what}.${String(member)}`);
    },
    ownKeys: () => [],
  });
}

/** A place where rows survive; `factory` can be used again after a close or a crash. */
export interface Place {
  readonly factory: EngineFactory;
  /** The storages that are open now are dead: what they had not written is lost, and nothing they do arrives. */
  crash(): Promise<void>;
  dispose(): Promise<void>;
}

export interface PlaceKind {
  name: string;
  make(): Place;
}

export const memoryPlaces: PlaceKind = {
  name: 'memory',
  make: () => memoryPlace(),
};

/** Writes take some turns of the event loop, so that commands fall between a commit's start and its end. */
export const slowMemoryPlaces: PlaceKind = {
  name: 'slow memory',
  make: () =>
    memoryPlace(async () => {
      for (let turn = 0; turn < 12; turn++) await Promise.resolve();
    }),
};

function memoryPlace(commitDelay?: () => Promise<void>): Place {
  const store = new MemoryStore();
  return {
    factory: memoryEngine(store, commitDelay === undefined ? {} : { commitDelay }),
    async crash() {
      store.crash();
    },
    async dispose() {},
  };
}

/** A log in front of memory, so short that its files often take turns; the process dies, or the machine. */
export const loggedPlaces: readonly PlaceKind[] = (['killed', 'without power'] as const).map((how) => ({
  name: `memory behind a log, ${how}`,
  make() {
    const store = new MemoryStore();
    const disk = new MemoryDisk();
    const engine = groupEngine(memoryEngine(store), 4096);
    return {
      factory: (directory, runtime) => engine(`/${directory}`, { ...runtime, disk: disk.mount() }),
      async crash() {
        store.crash();
        if (how === 'killed') disk.killProcess();
        else disk.cutPower('all');
      },
      async dispose() {},
    };
  },
}));

export const lmdbPlaces: PlaceKind = {
  name: 'LMDB',
  make() {
    const directory = mkdtempSync(join(tmpdir(), 'nmrfs-metaserver-'));
    let open: { storage: Storage; kill(): void }[] = [];
    return {
      async factory(_directory, runtime) {
        const storage = await lmdbEngine(join(directory, 'store'), runtime);
        let isAlive = true;
        open.push({
          storage,
          kill() {
            isAlive = false;
          },
        });
        return {
          get: (key) => storage.get(key),
          scan: (from, to, limit) => storage.scan(from, to, limit),
          write: (changes) => (isAlive ? storage.write(changes) : new Promise<never>(() => {})),
          room: () => storage.room(),
          checkpoint: () => storage.checkpoint(),
          async close() {
            open = open.filter((one) => one.storage !== storage);
            await storage.close();
          },
        };
      },
      async crash() {
        const dead = open;
        open = [];
        for (const { kill } of dead) kill();
        for (const { storage } of dead) await storage.close();
      },
      async dispose() {
        for (const { storage } of open) await storage.close();
        rmSync(directory, { recursive: true, force: true });
      },
    };
  },
};

/** Makes a place, and takes it away again whatever `test` does. */
export async function withPlace(kind: PlaceKind, test: (place: Place) => Promise<void>): Promise<void> {
  const place = kind.make();
  try {
    await test(place);
  } finally {
    await place.dispose();
  }
}

/** Every row of a closed place, in order, in hexadecimal: equal states have equal dumps. */
export async function dump(place: Place): Promise<[string, string][]> {
  const storage = await place.factory('', new TestRuntime());
  const rows = storage.scan('', '\u00ff', Number.POSITIVE_INFINITY);
  await storage.close();
  return rows.map(({ key, value }) => [key, Buffer.from(value).toString('hex')]);
}

/** The tables of a closed place. */
export async function withTables<T>(place: Place, read: (tables: Tables) => T): Promise<T> {
  const engine = new Engine(await place.factory('', new TestRuntime()));
  try {
    return read(new Tables(engine));
  } finally {
    await engine.close();
  }
}

/** The code that a call fails with, or 'none'. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'none';
  } catch (error) {
    if (error instanceof FileError || error instanceof ServiceError) return error.code;
    throw error;
  }
}

/** A metaserver whose commands come one nanosecond after the other. */
export class TestMetaserver {
  readonly #metaserver: Metaserver;
  readonly #mediator: AnsweringMediator | null;
  readonly runtime: TestRuntime;
  timeNs = 1000n;

  private constructor(metaserver: Metaserver, runtime: TestRuntime, mediator: AnsweringMediator | null) {
    this.#metaserver = metaserver;
    this.runtime = runtime;
    this.#mediator = mediator;
  }

  static async open(factory: EngineFactory, runtime = new TestRuntime()): Promise<TestMetaserver> {
    return new TestMetaserver(await openMetaserver({ directory: '' }, runtime, factory), runtime, null);
  }

  /** Behind a mediator that answers what it can before the metaserver has it. */
  static async openBehindMediator(factory: EngineFactory): Promise<TestMetaserver> {
    const runtime = new TestRuntime();
    const metaserver = await openMetaserver({ directory: '' }, runtime, factory);
    return new TestMetaserver(metaserver, runtime, await AnsweringMediator.open(metaserver.metadata, runtime));
  }

  get service(): MetadataService {
    return this.#mediator?.early ?? this.#metaserver.metadata;
  }

  /** Without a mediator. */
  get server(): Metaserver['metadata'] {
    return this.#metaserver.metadata;
  }

  /** How many commands the mediator has answered by itself. */
  get answeredEarly(): number {
    return this.#mediator?.answered ?? 0;
  }

  get xmlRpc(): Metaserver['xmlRpc'] {
    return this.#metaserver.xmlRpc;
  }

  metrics(): Promise<string> {
    return this.#metaserver.metrics();
  }

  async close(): Promise<void> {
    await this.#mediator?.close();
    await this.#metaserver.close();
  }

  do<K extends CommandName>(name: K, request: Commands[K]['request'], durable = false): Promise<Commands[K]['result']> {
    this.timeNs++;
    return this.service.execute({ name, timeNs: this.timeNs, request, durable });
  }

  ask<K extends QueryName>(name: K, request: Queries[K]['request']): Promise<Queries[K]['result']> {
    return this.service.query({ name, request });
  }

  async make(parent: number, name: string, kind: FileKind = 'file', mode = 0o644): Promise<Attributes> {
    const request = makeRequest(parent, name, kind, mode);
    return (await this.do('make', request)).attributes;
  }

  attributes(inode: number): Promise<Attributes> {
    return this.ask('attributes', { inode });
  }

  /** A commit of `changes`, that neither cuts nor extends beyond them. */
  commit(inode: number, changes: BlockChange[], more: Partial<Commands['commit']['request']> = {}) {
    const end = Math.max(
      0,
      ...changes.map(({ index, next }) => (next === null ? 0 : index * BLOCK_BYTES + next.length)),
    );
    return this.do('commit', {
      inode,
      changes,
      truncateTo: null,
      minimumSizeBytes: end,
      modifyTimeNs: 5n,
      missing: [],
      ...more,
    });
  }

  /** `count` whole blocks from index 0, with the versions first, first + 1, … */
  async fill(inode: number, count: number, first: number): Promise<void> {
    await this.commit(
      inode,
      Array.from({ length: count }, (_, index) => change(index, 0, first + index)),
    );
  }

  async names(inode: number): Promise<string[]> {
    const names: string[] = [];
    for (let cookie = 0; ; ) {
      const { entries, done } = await this.ask('readdir', { inode, cookie, limit: 5000, attributes: false });
      for (const entry of entries) {
        names.push(entry.name);
        cookie = entry.cookie;
      }
      if (done) return names;
    }
  }

  async versions(inode: number): Promise<[number, number][]> {
    const { blocks } = await this.ask('blocks', { inode, first: 0, count: 1_000_000 });
    return blocks.map(({ index, version }) => [index, version]);
  }

  async garbage(): Promise<[number, number, number][]> {
    const { entries } = await this.ask('garbage', { after: 0, limit: 10_000 });
    return entries.map(({ inode, index, version }) => [inode, index, version]);
  }

  async missed(server: string): Promise<[number, number, number][]> {
    const { blocks } = await this.ask('missed', { server, limit: 10_000 });
    return blocks.map(({ inode, index, version }) => [inode, index, version]);
  }
}

export function makeRequest(
  parent: number,
  name: string,
  kind: FileKind = 'file',
  mode = 0o644,
): Commands['make']['request'] {
  return {
    parent,
    name,
    kind,
    mode,
    caller: { uid: 10, gid: 20 },
    device: kind === 'character' || kind === 'block' ? 259 : 0,
    target: kind === 'symlink' ? 'over/there' : '',
    blockSizeBytes: BLOCK_BYTES,
    exclusive: true,
  };
}

/** A change to `version`, whose hash follows from it; version 0 makes a hole. */
export function change(index: number, base: number, version: number, length = BLOCK_BYTES): BlockChange {
  return { index, base, next: version === 0 ? null : { version, hash: BigInt(version) * 3n, length } };
}

/** Opens a metaserver in memory for one test. */
export async function withMetaserver(test: (meta: TestMetaserver) => Promise<void>): Promise<void> {
  const meta = await TestMetaserver.open(memoryEngine(new MemoryStore()));
  try {
    await test(meta);
  } finally {
    await meta.close();
  }
}
