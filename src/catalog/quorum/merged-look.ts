// What several servers know of a path, the newest of each entry, as the rules of the map see it.
import type { MapView } from '../map/commands.js';
import { parentOf, ROOT } from '../map/paths.js';
import type { Look, Outline } from './service.js';
import { isNewer, type Versioned } from './versioned.js';

export class MergedLook implements MapView {
  readonly entry: Versioned | undefined;
  readonly #parent: Versioned | undefined;
  readonly #children = new Map<string, Outline>();
  readonly #path: string;

  constructor(path: string, looks: readonly Look[]) {
    this.#path = path;
    this.entry = newest(looks.map(({ entry }) => entry));
    this.#parent = newest(looks.map(({ parent }) => parent));
    for (const { children } of looks) {
      for (const [name, version, digest, isRemoved] of children) {
        const outline = { version, digest, isRemoved };
        if (isNewer(outline, this.#children.get(name))) this.#children.set(name, outline);
      }
    }
  }

  /** Of the path itself, and of its parent. */
  has(path: string): boolean {
    if (path === ROOT) return true;
    if (path === this.#path) return this.hasValue || this.hasChildren();
    return path === parentOf(this.#path) && this.#parent?.isRemoved === false;
  }

  get hasValue(): boolean {
    return this.entry?.isRemoved === false;
  }

  versionOf(): number {
    return this.entry?.version ?? 0;
  }

  hasChildren(): boolean {
    return this.below.length > 0;
  }

  /** Children that are there, by name, as far as they were asked for. */
  get below(): [string, Outline][] {
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
