// The index in memory, for the simulation and for tests. Rows live as long as
// the factory: the same factory opens a folder as after a crash of the process,
// a new factory as after a power cut.
import { Buffer } from 'node:buffer';
import type { IndexChange, IndexFactory, IndexRow, IndexStore } from './index-store.js';

export function memoryIndexFactory(): IndexFactory {
  const folders = new Map<string, SortedRows>();
  return async (directory) => {
    let rows = folders.get(directory);
    if (rows === undefined) {
      rows = new SortedRows();
      folders.set(directory, rows);
    }
    return new MemoryIndex(rows);
  };
}

/** Keys as latin1 text, whose order is the order of the bytes. */
class SortedRows {
  readonly values = new Map<string, Buffer>();
  readonly keys: string[] = [];

  /** Position of the first key that is not below `key`. */
  find(key: string): number {
    let low = 0;
    let high = this.keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.keys[middle] ?? '') < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  set(key: string, value: Buffer): void {
    if (!this.values.has(key)) this.keys.splice(this.find(key), 0, key);
    this.values.set(key, value);
  }

  delete(key: string): void {
    if (this.values.delete(key)) this.keys.splice(this.find(key), 1);
  }
}

class MemoryIndex implements IndexStore {
  readonly #rows: SortedRows;

  constructor(rows: SortedRows) {
    this.#rows = rows;
  }

  get(key: Buffer): Buffer | undefined {
    const value = this.#rows.values.get(key.toString('latin1'));
    return value === undefined ? undefined : Buffer.from(value);
  }

  range(from: Buffer, to: Buffer, limit: number): IndexRow[] {
    const found: IndexRow[] = [];
    const end = to.toString('latin1');
    for (let at = this.#rows.find(from.toString('latin1')); found.length < limit; at++) {
      const key = this.#rows.keys[at];
      if (key === undefined || key >= end) break;
      const value = this.#rows.values.get(key);
      if (value !== undefined) found.push({ key: Buffer.from(key, 'latin1'), value: Buffer.from(value) });
    }
    return found;
  }

  write(changes: readonly IndexChange[]): void {
    for (const { key, value } of changes) {
      if (value === null) this.#rows.delete(key.toString('latin1'));
      else this.#rows.set(key.toString('latin1'), Buffer.from(value));
    }
  }

  clear(): void {
    this.#rows.values.clear();
    this.#rows.keys.length = 0;
  }

  async close(): Promise<void> {}
}
