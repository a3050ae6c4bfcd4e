// Storage in memory for the simulation and for tests. The durable rows are in an
// object that outlives the engine, so that a crash can be simulated.

import type { Key, Row } from '../../namespace/view.js';
import { assert } from '../../runtime/assert.js';
import { SortedKeys } from '../engine/sorted-keys.js';
import type { BaseFactory, BaseStorage, Replacement, StorageView } from '../engine/storage.js';

/** What survives a crash of the process above it. */
export class MemoryStore {
  readonly #rows = new Map<Key, Uint8Array>();
  readonly #keys = new SortedKeys();
  #generation = 0;
  #isRotten = false;

  get generation(): number {
    return this.#generation;
  }

  /** Simulates that the process dies: storages that were opened before change nothing any more, and their writes never settle. */
  crash(): void {
    this.#generation++;
  }

  get count(): number {
    return this.#rows.size;
  }

  /** Whether a row has rotted since all rows were replaced. */
  get isRotten(): boolean {
    return this.#isRotten;
  }

  /** A bit of a row flips. */
  rot(key: Key, at: number, bit: number): void {
    const value = Uint8Array.from(this.#rows.get(key) ?? []);
    value[at] = (value[at] ?? 0) ^ (1 << bit);
    this.#rows.set(key, value);
    this.#isRotten = true;
  }

  get(key: Key): Uint8Array | undefined {
    return this.#rows.get(key);
  }

  scan(from: Key, to: Key, limit: number): Row[] {
    const rows: Row[] = [];
    for (const key of this.#keys.range(from, to)) {
      if (rows.length >= limit) break;
      const value = this.#rows.get(key);
      if (value !== undefined) rows.push({ key, value });
    }
    return rows;
  }

  /** All rows as they are now. */
  copy(): MemoryStore {
    const copy = new MemoryStore();
    copy.change(this.#rows);
    return copy;
  }

  /** All rows are replaced by those. */
  replaceBy(other: MemoryStore): void {
    this.#isRotten = false;
    const gone = [...this.#rows.keys()].map((key): [Key, null] => [key, null]);
    this.change(new Map<Key, Uint8Array | null>([...gone, ...other.#rows]));
  }

  change(changes: ReadonlyMap<Key, Uint8Array | null>): void {
    for (const [key, value] of changes) {
      if (value === null) {
        if (this.#rows.delete(key)) this.#keys.remove(key);
      } else {
        this.#rows.set(key, value);
        this.#keys.add(key);
      }
    }
  }
}

export interface MemoryEngineOptions {
  /** Awaited before a write is made; a write takes no time when absent. A crash meanwhile loses the write. A rejection fails it. */
  commitDelay?: () => Promise<void>;
  /** Room for changes that take room; infinite when absent. */
  leftBytes?: () => number;
  /** Why what is written in the background fails; it does not when absent. */
  failure?: () => Error | null;
}

/** A factory of storages over `store`; the folder has no meaning. */
export function memoryEngine(store: MemoryStore, options: MemoryEngineOptions = {}): BaseFactory {
  return () => {
    const { generation } = store;
    const untilDurable = async () => {
      await options.commitDelay?.();
      if (store.generation !== generation) await new Promise<never>(() => {});
    };
    const storage: BaseStorage = {
      isReadable: true,
      get: (key) => store.get(key),
      scan: (from, to, limit) => store.scan(from, to, limit),
      async write(changes) {
        await untilDurable();
        store.change(changes);
      },
      async room() {
        const leftBytes = options.leftBytes?.() ?? Number.POSITIVE_INFINITY;
        return { leftBytes, totalBytes: Number.POSITIVE_INFINITY, failure: options.failure?.() ?? null };
      },
      async checkpoint() {},
      async close() {},
      view: () => viewOf(store.copy()),
      async replacement() {
        return replacementOf(store, untilDurable);
      },
    };
    return Promise.resolve(storage);
  };
}

function viewOf(copy: MemoryStore): StorageView {
  return {
    count: copy.count,
    get: (key) => copy.get(key),
    scan: (from, to, limit) => copy.scan(from, to, limit),
    close() {},
  };
}

function replacementOf(store: MemoryStore, untilDurable: () => Promise<void>): Replacement {
  const incoming = new MemoryStore();
  let isOver = false;
  return {
    async add(rows) {
      incoming.change(new Map(rows.map(({ key, value }) => [key, value])));
    },
    async install() {
      assert(!isOver, 'what is installed was not discarded');
      await untilDurable();
      assert(!isOver, 'nothing is discarded while it is installed');
      isOver = true;
      store.replaceBy(incoming);
    },
    async discard() {
      isOver = true;
    },
  };
}
