// What the tests of the data server share: places to keep a store, servers in
// them, and short ways to say blocks.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Dataserver, openDataserver } from '../../../src/dataserver/dataserver.js';
import type { IndexFactory } from '../../../src/dataserver/index/index-store.js';
import { lmdbIndex } from '../../../src/dataserver/index/lmdb-index.js';
import { memoryIndexFactory } from '../../../src/dataserver/index/memory-index.js';
import type { BlockKey, BlockService, GetResult, PutItem, PutResult } from '../../../src/protocol/services/blocks.js';
import { hashBlock } from '../../../src/protocol/values/hash.js';
import type { Clock, Timer } from '../../../src/runtime/clock.js';
import type { Log } from '../../../src/runtime/log.js';
import { silentLog } from '../../../src/runtime/log.js';
import { nodeDisk } from '../../../src/runtime/node/disk.js';
import type { Random } from '../../../src/runtime/random.js';
import type { Runtime } from '../../../src/runtime/runtime.js';
import { MemoryDisk } from '../../support/memory-disk.js';

export const STORE = '/store';

/** Time that passes only when somebody waits, and then at once. */
export class InstantClock implements Clock {
  #nowMs = 1_000_000;

  nowNs(): bigint {
    return BigInt(Math.round(this.#nowMs * 1e6));
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, action: () => void): Timer {
    const timer = setImmediate(() => {
      this.#nowMs += delayMs;
      action();
    });
    return { cancel: () => clearImmediate(timer) };
  }

  afterTurn(action: () => void): void {
    setImmediate(action);
  }
}

/** Repeatable; good enough for tests (a linear congruence, upper bits). */
export class SeededRandom implements Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
    for (let warmUp = 0; warmUp < 3; warmUp++) this.fraction();
  }

  fraction(): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return (this.#state >>> 4) / 2 ** 28;
  }

  below(bound: number): number {
    return Math.floor(this.fraction() * bound);
  }

  bytes(count: number): Buffer {
    const bytes = Buffer.alloc(count);
    for (let at = 0; at < count; at++) bytes[at] = this.below(256);
    return bytes;
  }
}

/** `content` of so many bytes that differ from those of other seeds, quickly made. */
export function content(sizeBytes: number, seed: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  for (let at = 0; at < sizeBytes; at += 4) {
    const word = Math.imul(at + 1, 2_654_435_761) ^ Math.imul(seed, 40_503) ^ (at >>> 3);
    if (at + 4 <= sizeBytes) bytes.writeInt32LE(word, at);
    else bytes.fill(word & 255, at);
  }
  return bytes;
}

/** Somewhere a store can be opened again and again. */
export interface StorePlace {
  open(options?: { segmentBytes?: number; reserveBytes?: number; testHooks?: boolean; log?: Log }): Promise<Dataserver>;
  /** Closes what is open. */
  close(): Promise<void>;
  /** What the hooks did to the process: terminate, restart, restart blank. */
  readonly exits: string[];
  remove(): Promise<void>;
}

export interface StorePlaceKind {
  name: string;
  make(): Promise<StorePlace>;
}

export const memoryPlaces: StorePlaceKind = {
  name: 'memory disk and memory index',
  async make() {
    const runtime = memoryRuntime(new MemoryDisk());
    return placeOf(runtime, STORE, memoryIndexFactory(), async () => {});
  },
};

export const diskPlaces: StorePlaceKind = {
  name: 'real disk and LMDB index',
  async make() {
    const folder = await mkdtemp(join(tmpdir(), 'nmrfs-data-'));
    const runtime = { ...memoryRuntime(new MemoryDisk()), disk: nodeDisk };
    return placeOf(runtime, join(folder, 'store'), lmdbIndex, () => rm(folder, { recursive: true, force: true }));
  },
};

function placeOf(runtime: Runtime, directory: string, index: IndexFactory, remove: () => Promise<void>): StorePlace {
  const exits: string[] = [];
  const opened = new Set<Dataserver>();
  const close = async () => {
    for (const server of opened) await server.close();
    opened.clear();
  };
  return {
    exits,
    async open({ testHooks = true, log = silentLog, ...sizes } = {}) {
      const options = { name: 'data3', number: 3, directory, testHooks, ...sizes };
      const server = await openDataserver(options, { ...runtime, log }, index, {
        terminate: () => exits.push('terminate'),
        restart: (blank) => exits.push(blank ? 'restart blank' : 'restart'),
      });
      opened.add(server);
      return server;
    },
    close,
    async remove() {
      await close();
      await remove();
    },
  };
}

/** Runs `action` with a place of its own that is gone afterwards. */
export async function withPlace(kind: StorePlaceKind, action: (place: StorePlace) => Promise<void>): Promise<void> {
  const place = await kind.make();
  try {
    await action(place);
  } finally {
    await place.remove();
  }
}

export function memoryRuntime(disk: MemoryDisk, log: Log = silentLog): Runtime {
  return {
    clock: new InstantClock(),
    random: new SeededRandom(7),
    disk: disk.mount(),
    network: {
      connect: () => Promise.reject(new Error('no network here')),
      listen: () => Promise.reject(new Error('no network here')),
    },
    log,
  };
}

/** A server on a memory disk; no index is passed: one that is lost with the process. */
export function openOn(
  disk: MemoryDisk,
  options: {
    index?: IndexFactory;
    segmentBytes?: number;
    reserveBytes?: number;
    directReadBytes?: number;
    directAppendBytes?: number;
    log?: Log;
  } = {},
): Promise<Dataserver> {
  const { index = memoryIndexFactory(), log = silentLog, ...sizes } = options;
  const runtime = memoryRuntime(disk, log);
  const exits = { terminate() {}, restart() {} };
  return openDataserver(
    { name: 'data3', number: 3, directory: STORE, testHooks: true, segmentBytes: 64 * 1024, reserveBytes: 0, ...sizes },
    runtime,
    index,
    exits,
  );
}

export function segmentPath(number: number): string {
  return `${STORE}/segments/${String(number).padStart(8, '0')}.log`;
}

export function key(index: number, version = 1, inode = 5): BlockKey {
  return { inode, index, version };
}

export async function putOne(
  blocks: BlockService,
  item: PutItem,
  options: { durable?: boolean; replace?: boolean } = {},
): Promise<PutResult> {
  const { results } = await blocks.put({ items: [item], durable: true, ...options });
  return first(results);
}

/** Waits until what a failed sync left behind has been written anew. */
export async function allDurable(blocks: BlockService): Promise<void> {
  const flushed = () =>
    blocks.flush({}).then(
      () => true,
      () => false,
    );
  while (!(await flushed())) await turn();
}

/** Lets everybody else go on. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The whole block. */
export async function getOne(blocks: BlockService, block: BlockKey): Promise<GetResult> {
  const item = { ...block, offset: 0, length: Number.MAX_SAFE_INTEGER, data: true };
  return first((await blocks.get({ items: [item] })).results);
}

/** The bytes when the ballot agrees with them and with `hash`; undefined when not there or outvoted. */
export async function goodBytes(blocks: BlockService, block: BlockKey, hash: bigint): Promise<Buffer | undefined> {
  const result = await getOne(blocks, block);
  if (result.state !== 'present' || result.hash !== hash) return undefined;
  const bytes = Buffer.from(result.data ?? []);
  // The promise of the ballot: whoever votes for the right hash has the right bytes.
  if (hashBlock(bytes) !== hash) throw new Error('a ballot for a hash that its bytes do not have');
  return bytes;
}

/** The result of a patch by the plainest means. */
export function patched(base: Buffer, length: number, writes: { offset: number; data: Uint8Array }[]): Buffer {
  const result = Buffer.alloc(length);
  base.copy(result, 0, 0, Math.min(base.length, length));
  for (const { offset, data } of writes) result.set(data, offset);
  return result;
}

export function first<T>(items: readonly T[]): T {
  const [item] = items;
  if (item === undefined) throw new Error('nothing there');
  return item;
}
