// Values by path, with the children of each path. It checks no rule: a path may have children without being there itself.
import { childOf, nameOf, parentOf, ROOT } from './paths.js';

export interface Value {
  readonly bytes: Uint8Array;
  readonly version: number;
}

export class ValueTree<V extends Value = Value> {
  readonly #values = new Map<string, V>();
  /** Names of what is below each path. */
  readonly #children = new Map<string, Set<string>>();

  get(path: string): V | undefined {
    return this.#values.get(path);
  }

  /** The root is always there. */
  has(path: string): boolean {
    return path === ROOT || this.#values.has(path);
  }

  /** 0 for what is not there. */
  versionOf(path: string): number {
    return this.#values.get(path)?.version ?? 0;
  }

  put(path: string, value: V): void {
    this.#values.set(path, value);
    if (path === ROOT) return;
    const parent = parentOf(path);
    const siblings = this.#children.get(parent) ?? new Set();
    this.#children.set(parent, siblings.add(nameOf(path)));
  }

  delete(path: string): void {
    if (!this.#values.delete(path) || path === ROOT) return;
    const parent = parentOf(path);
    const siblings = this.#children.get(parent);
    siblings?.delete(nameOf(path));
    if (siblings?.size === 0) this.#children.delete(parent);
  }

  /** Names, sorted. */
  namesBelow(path: string): string[] {
    return [...(this.#children.get(path) ?? [])].sort();
  }

  hasChildren(path: string): boolean {
    return this.#children.has(path);
  }

  /** Everything that lies directly below, sorted by name. */
  *below(path: string): Generator<[name: string, value: V]> {
    for (const name of this.namesBelow(path)) {
      const value = this.#values.get(childOf(path, name));
      if (value !== undefined) yield [name, value];
    }
  }

  get size(): number {
    return this.#values.size;
  }

  entries(): IterableIterator<[string, V]> {
    return this.#values.entries();
  }
}
