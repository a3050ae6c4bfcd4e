// What the rules of the map see where entries of removed paths stay, so that the removal spreads, and where a child may arrive before
// its parent: a path is there when it has a value, or something below it.
import type { MapView } from '../map/commands.js';
import { childOf, ROOT } from '../map/paths.js';
import type { Value, ValueTree } from '../map/value-tree.js';

/** An entry of a path: its value, or that it was removed. */
export interface SpreadValue extends Value {
  readonly isRemoved: boolean;
}

export class LocalView<V extends SpreadValue> implements MapView {
  readonly #tree: ValueTree<V>;

  constructor(tree: ValueTree<V>) {
    this.#tree = tree;
  }

  /** undefined for one that was removed. */
  get(path: string): V | undefined {
    const value = this.#tree.get(path);
    return value?.isRemoved === false ? value : undefined;
  }

  has(path: string): boolean {
    return path === ROOT || this.get(path) !== undefined || this.hasChildren(path);
  }

  /** Of a removal too: what comes next must be newer. */
  versionOf(path: string): number {
    return this.#tree.versionOf(path);
  }

  hasChildren(path: string): boolean {
    return this.namesBelow(path).length > 0;
  }

  namesBelow(path: string): string[] {
    return this.#tree.namesBelow(path).filter((name) => this.has(childOf(path, name)));
  }

  below(path: string): [string, V][] {
    return this.namesBelow(path).flatMap((name) => {
      const value = this.get(childOf(path, name));
      return value === undefined ? [] : [[name, value] as [string, V]];
    });
  }
}
