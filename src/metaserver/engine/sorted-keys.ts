// A sorted set of strings, kept in chunks: a search is two binary searches, and
// an insertion moves at most one chunk's references. Measured with 100,000 keys,
// adding, removing and short scans take less time than in sorted-btree's B+ tree.

/** A larger chunk is cut in half. Small enough that moving its references costs less than the search. */
const MAXIMUM_CHUNK_KEYS = 512;

export class SortedKeys {
  /** No chunk is ever empty. */
  readonly #chunks: string[][] = [];

  /** Adds keys in any order; those that are here already stay. */
  addAll(keys: readonly string[]): void {
    if (this.#chunks.length > 0) {
      for (const key of keys) this.add(key);
      return;
    }
    const sorted = [...new Set(keys)].sort(compareStrings);
    const half = MAXIMUM_CHUNK_KEYS / 2;
    for (let at = 0; at < sorted.length; at += half) this.#chunks.push(sorted.slice(at, at + half));
  }

  add(key: string): void {
    const position = this.#chunkOf(key);
    const chunk = this.#chunks[position];
    if (chunk === undefined) {
      this.#chunks.push([key]);
      return;
    }
    const at = lowerBound(chunk, key);
    if (chunk[at] === key) return;
    chunk.splice(at, 0, key);
    if (chunk.length > MAXIMUM_CHUNK_KEYS) {
      this.#chunks.splice(position + 1, 0, chunk.splice(MAXIMUM_CHUNK_KEYS / 2));
    }
  }

  remove(key: string): void {
    const position = this.#chunkOf(key);
    const chunk = this.#chunks[position];
    if (chunk === undefined) return;
    const at = lowerBound(chunk, key);
    if (chunk[at] !== key) return;
    chunk.splice(at, 1);
    if (chunk.length === 0) this.#chunks.splice(position, 1);
  }

  /** Keys with from <= key < to, in order. Not to be used after a change. */
  *range(from: string, to: string): Generator<string> {
    let position = this.#chunkOf(from);
    let chunk = this.#chunks[position];
    let at = chunk === undefined ? 0 : lowerBound(chunk, from);
    while (chunk !== undefined) {
      for (; at < chunk.length; at++) {
        const key = chunk[at];
        if (key === undefined || key >= to) return;
        yield key;
      }
      position++;
      chunk = this.#chunks[position];
      at = 0;
    }
  }

  /** The last chunk that starts at or before `key`; the first when none does. */
  #chunkOf(key: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const first = this.#chunks[middle]?.[0];
      if (first !== undefined && first <= key) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

/** The first position in `keys` whose key is not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const candidate = keys[middle];
    if (candidate !== undefined && candidate < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Order by code units, which is byte order for one byte per character. */
function compareStrings(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
