// Changes that are not in the storage yet: a map for reads of one key, and
// sorted keys for scans. Keys are sorted by the first scan that needs them, so
// that commands without scans never pay for it.
import { SortedKeys } from './sorted-keys.js';

/** Steps through sorted entries; `key` is undefined at the end, a null value stands for a removed row. */
export class Cursor {
  key: string | undefined;
  value: Uint8Array | null = null;
  readonly #entries: Iterator<[string, Uint8Array | null]>;

  constructor(entries: Iterator<[string, Uint8Array | null]>) {
    this.#entries = entries;
    this.next();
  }

  next(): void {
    const step = this.#entries.next();
    if (step.done === true) {
      this.key = undefined;
    } else {
      [this.key, this.value] = step.value;
    }
  }
}

export class Overlay {
  readonly #changes = new Map<string, Uint8Array | null>();
  readonly #sorted = new SortedKeys();
  /** Keys of #changes that are not in #sorted yet. */
  #unsorted: string[] = [];

  get size(): number {
    return this.#changes.size;
  }

  get changes(): ReadonlyMap<string, Uint8Array | null> {
    return this.#changes;
  }

  /** The new value, null when the row was removed, undefined when it was not touched. */
  get(key: string): Uint8Array | null | undefined {
    return this.#changes.get(key);
  }

  set(key: string, value: Uint8Array | null): void {
    const before = this.#changes.size;
    this.#changes.set(key, value);
    if (this.#changes.size !== before) this.#unsorted.push(key);
  }

  /** Undoes a change: `before` is what `get` answered before it. */
  restore(key: string, before: Uint8Array | null | undefined): void {
    if (before === undefined) {
      // The key may stay in #sorted: cursors skip keys without a change.
      this.#changes.delete(key);
    } else {
      this.#changes.set(key, before);
    }
  }

  /** Changes with from <= key < to in key order. Not to be used after the next `set`. */
  cursor(from: string, to: string): Cursor {
    if (this.#unsorted.length > 0) {
      this.#sorted.addAll(this.#unsorted);
      this.#unsorted = [];
    }
    return new Cursor(this.#entries(from, to));
  }

  *#entries(from: string, to: string): Generator<[string, Uint8Array | null]> {
    for (const key of this.#sorted.range(from, to)) {
      const value = this.#changes.get(key);
      if (value !== undefined) yield [key, value];
    }
  }
}
