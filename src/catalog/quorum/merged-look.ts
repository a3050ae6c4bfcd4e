// What several servers know of a path, the newest of each entry, as the rules of the map see it.
import type { MapView } from '../map/commands.js';
import { parentOf, ROOT } from '../map/paths.js';
import type { Look } from './service.js';
import { isNewer, type Versioned } from './versioned.js';

export class MergedLook implements MapView {
  readonly entry: Versioned | undefined;
  readonly #parent: Versioned | undefined;
  readonly #children = new Map<string, Versioned>();
  readonly #path: string;

  constructor(path: string, looks: readonly Look[]) {
    this.#path = path;
    this.entry = newest(looks.map(({ entry }) => entry));
    this.#parent = newest(looks.map(({ parent }) => parent));
    for (const { children } of looks) {
      for (const { name, entry } of children) {
        if (isNewer(entry, this.#children.get(name))) this.#children.set(name, entry);
      }
    }
  }

  /** Of the path itself, and of its parent. */
  has(path: string): boolean {
    if (path === ROOT) return true;
    if (path === this.#path) return this.entry?.isRemoved === false || this.hasChildren();
    return path === parentOf(this.#path) && this.#parent?.isRemoved === false;
  }

  versionOf(): number {
    return this.entry?.version ?? 0;
  }

  hasChildren(): boolean {
    return this.below.length > 0;
  }

  /** Children that are there, by name. */
  get below(): [string, Versioned][] {
    return [...this.#children]
      .filter(([, { isRemoved }]) => !isRemoved)
      .sort(([one], [other]) => (one < other ? -1 : 1));
  }
}

function newest(entries: readonly (Versioned | null)[]): Versioned | undefined {
  return entries.reduce<Versioned | undefined>(
    (best, entry) => (entry !== null && isNewer(entry, best) ? entry : best),
    undefined,
  );
}
