// A bounded map that keeps what was used last. It holds two generations: what is
// used moves from the old one to the young one, at most once, and a full young one
// takes the place of the old one. The usual way, to delete a key and set it again
// at every use, is slow in large maps: V8 looks through all places that the key has
// left since the map grew last, which took 50 µs in a map of 6,000.

export class RecentMap<K, V extends object | number | string> {
  #young = new Map<K, V>();
  #old = new Map<K, V>();

  readonly #most: number;

  /** @param most entries that it holds; at least half as many of those used last are kept */
  constructor(most: number) {
    this.#most = most;
  }

  /** How often entries were dropped for newer ones. */
  turnovers = 0;

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** The value; counts as a use of it. */
  get(key: K): V | undefined {
    const value = this.#young.get(key);
    if (value !== undefined) return value;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: K, value: V): void {
    this.#old.delete(key);
    this.#young.set(key, value);
    if (this.#young.size < this.#most / 2) return;
    this.turnovers++;
    this.#old = this.#young;
    this.#young = new Map();
  }

  delete(key: K): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
}
