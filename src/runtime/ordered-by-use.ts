// A map whose order is about that of the last uses, the least recently used entry
// first. An entry moves to the end only when as many others as half of the map were
// used or added since it did so last: see recent-map.ts for why not at every use.

export class OrderedByUse<K, V> extends Map<K, V> {
  /** The use or addition at which each entry moved to the end. */
  readonly #movedAt = new Map<K, number>();
  #uses = 0;

  /** The value; counts as a use of it. */
  use(key: K): V | undefined {
    const value = this.get(key);
    if (value === undefined) return undefined;
    this.#uses++;
    if (this.#uses - (this.#movedAt.get(key) ?? 0) <= this.size / 2) return value;
    this.#movedAt.set(key, this.#uses);
    super.delete(key);
    super.set(key, value);
    return value;
  }

  /** Adds an entry at the end, or replaces a value in its place. */
  override set(key: K, value: V): this {
    if (!this.has(key)) {
      this.#uses++;
      this.#movedAt.set(key, this.#uses);
    }
    return super.set(key, value);
  }

  override delete(key: K): boolean {
    this.#movedAt.delete(key);
    return super.delete(key);
  }

  override clear(): void {
    this.#movedAt.clear();
    super.clear();
  }
}
