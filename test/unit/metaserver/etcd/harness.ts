// Storages of several metaservers that share a log in an etcd in memory. All have the same time; one that stands still wakes to a
// time that has gone on.
import { EtcdStorage } from '../../../../src/metaserver/etcd/etcd-storage.js';
import { Gateway } from '../../../../src/metaserver/etcd/gateway.js';
import { KeyValues } from '../../../../src/metaserver/etcd/kv.js';
import { SharedLog } from '../../../../src/metaserver/etcd/shared-log.js';
import { MemoryStore, memoryEngine } from '../../../../src/metaserver/storage/memory-engine.js';
import {
  decodeProgress,
  etcdMemberId,
  PROGRESS_KEY,
  type Progress,
} from '../../../../src/metaserver/storage/progress.js';
import type { Clock } from '../../../../src/runtime/clock.js';
import type { LogFields } from '../../../../src/runtime/log.js';
import type { Runtime } from '../../../../src/runtime/runtime.js';
import { ENDPOINT, FakeEtcd } from '../../../support/fake-etcd.js';
import { seeded, TestRuntime } from '../harness.js';

export const LOG_ID = '0123456789abcdef';
export const PREFIX = '/test';
const STEP_MS = 10;

interface Due {
  atMs: number;
  action: () => void;
}

/** A clock whose timers wait while its process stands still. */
export class ProcessClock implements Clock {
  isStanding = false;
  #timers: Due[] = [];
  readonly #world: { nowMs: number };

  constructor(world: { nowMs: number }) {
    this.#world = world;
  }

  nowNs(): bigint {
    return BigInt(Math.round(this.#world.nowMs * 1e6));
  }

  monotonicMs(): number {
    return this.#world.nowMs;
  }

  after(delayMs: number, action: () => void) {
    const timer = { atMs: this.#world.nowMs + delayMs, action };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((each) => each !== timer);
      },
    };
  }

  afterTurn(action: () => void): void {
    queueMicrotask(action);
  }

  fire(): void {
    if (this.isStanding) return;
    const due = this.#timers.filter(({ atMs }) => atMs <= this.#world.nowMs);
    this.#timers = this.#timers.filter((timer) => !due.includes(timer));
    for (const { action } of due) action();
  }
}

export class EtcdWorld {
  nowMs = 0;
  readonly clocks: ProcessClock[] = [];
  readonly etcd: FakeEtcd;
  readonly events: { name: string; event: string; fields: LogFields | undefined }[] = [];
  readonly #names: readonly string[];
  readonly #fraction: () => number;

  constructor(names: readonly string[], seed = 1) {
    this.#names = names;
    this.#fraction = seeded(seed);
    this.etcd = new FakeEtcd(this.#clock());
    this.etcd.put(`${PREFIX}/state/cluster`, JSON.stringify({ id: LOG_ID, cluster: 'test', founder: 'meta1' }));
    const head = { index: 0, term: 0, token: LOG_ID, bytes: 0 };
    this.etcd.put(`${PREFIX}/state/head`, JSON.stringify(head));
  }

  #clock(): ProcessClock {
    const clock = new ProcessClock(this);
    this.clocks.push(clock);
    return clock;
  }

  runtime(name: string): Runtime & { clock: ProcessClock } {
    const note = (event: string, fields?: LogFields) => void this.events.push({ name, event, fields });
    const runtime = new TestRuntime({ debug: () => {}, info: note, warn: note, error: note });
    const bytes = (count: number) => Uint8Array.from({ length: count }, () => Math.floor(this.#fraction() * 256));
    const random = { fraction: this.#fraction, bytes };
    const { disk, log, network } = runtime;
    return { disk, log, network, random, clock: this.#clock() };
  }

  log(runtime: Runtime, endpoints: readonly string[] = [ENDPOINT]): SharedLog {
    const gateway = new Gateway({ endpoints, http: this.etcd, clock: runtime.clock });
    return new SharedLog(PREFIX, new KeyValues(gateway), runtime);
  }

  async open(name: string, store = new MemoryStore(), commitDelay?: () => Promise<void>): Promise<Server> {
    const runtime = this.runtime(name);
    const base = await memoryEngine(store, commitDelay === undefined ? {} : { commitDelay })('', runtime);
    const server: Server = { name, store, clock: runtime.clock, lacks: 0, divergences: 0 } as Server;
    const row = store.get(PROGRESS_KEY);
    const mark = { index: 0, term: 0, members: { voters: [], learners: [] } };
    const progress =
      row === undefined ? { self: etcdMemberId(name, LOG_ID), mark, digest: 0n } : (decodeProgress(row) as Progress);
    server.storage = new EtcdStorage({
      ...{ name, names: this.#names, logId: LOG_ID, log: this.log(runtime), runtime, base },
      progress,
      lacking: () => {
        server.lacks++;
      },
      diverged: () => {
        server.divergences++;
      },
    });
    server.storage.start();
    return server;
  }

  /** Time goes on; what becomes due runs, with all that follows from it. */
  async advance(byMs: number, look: () => void = () => {}): Promise<void> {
    for (const endMs = this.nowMs + byMs; this.nowMs < endMs; ) {
      this.nowMs += STEP_MS;
      for (const clock of this.clocks) clock.fire();
      await new Promise((resolve) => setImmediate(resolve));
      look();
    }
  }

  /** @returns whether it came true */
  async until(condition: () => boolean, limitMs = 20_000): Promise<boolean> {
    for (const endMs = this.nowMs + limitMs; this.nowMs < endMs && !condition(); ) await this.advance(STEP_MS);
    return condition();
  }
}

export interface Server {
  name: string;
  store: MemoryStore;
  storage: EtcdStorage;
  clock: ProcessClock;
  lacks: number;
  divergences: number;
}

export function rowsOf(server: Server): Record<string, string> {
  const rows = server.storage.scan('', '\u00ff', Number.POSITIVE_INFINITY);
  return Object.fromEntries(rows.map(({ key, value }) => [key, Buffer.from(value).toString()]));
}

export function changes(rows: Record<string, string | null>): Map<string, Uint8Array | null> {
  return new Map(Object.entries(rows).map(([key, value]) => [key, value === null ? null : Buffer.from(value)]));
}

/** What became of a promise, once it is known. */
export function outcomeOf(promise: Promise<unknown>): { value: string | null } {
  const outcome: { value: string | null } = { value: null };
  promise.then(
    () => {
      outcome.value = 'done';
    },
    (error: { code?: string; message: string }) => {
      outcome.value = error.code ?? error.message;
    },
  );
  return outcome;
}
