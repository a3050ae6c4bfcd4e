// Where the directories that the kernel knows are, as it was told last. Kept as
// long as the kernel knows them, so that one can be found where it has moved to.
import type { Attributes, FileName } from '../../../protocol/services/files.js';
import { ROOT_INODE } from '../../../protocol/services/files.js';

export interface Place {
  parent: number;
  name: FileName;
}

export class DirectoryPlaces {
  readonly #places = new Map<number, Place>();
  readonly #inodes = new Map<string, number>();
  #renames = 0;

  /** How many renames it was told of. */
  get renames(): number {
    return this.#renames;
  }

  /** The kernel was told what a name stands for, as it was asked after so many `renames`. */
  entered(parent: number, name: FileName, { kind, inode }: Attributes, renames: number): void {
    if (kind !== 'directory' || inode === ROOT_INODE || name === '.' || name === '..') return;
    // The answer may be older than a rename that was heard of meanwhile.
    if (renames !== this.#renames && this.#places.has(inode)) return;
    this.#set(inode, { parent, name });
  }

  /** Something was renamed, here or elsewhere; `isExchange`: two things. */
  renamed(from: Place, to: Place, isExchange: boolean): void {
    this.#renames++;
    const moved = this.at(from);
    const replaced = this.at(to);
    if (moved !== undefined) this.forget(moved);
    if (replaced !== undefined) this.forget(replaced);
    if (moved !== undefined) this.#set(moved, to);
    if (isExchange && replaced !== undefined) this.#set(replaced, from);
  }

  /** The directory that was there last. */
  at(place: Place): number | undefined {
    return this.#inodes.get(keyOf(place));
  }

  /** Names from the root to the place; undefined when one on the way is not known. */
  pathTo({ parent, name }: Place): FileName[] | undefined {
    const names = [name];
    // A place may be old: then parents may even be their own parents.
    const seen = new Set<number>();
    for (let inode = parent; inode !== ROOT_INODE; ) {
      const place = this.#places.get(inode);
      if (place === undefined || seen.has(inode)) return undefined;
      seen.add(inode);
      names.unshift(place.name);
      inode = place.parent;
    }
    return names;
  }

  /** The kernel no longer knows the inode. */
  forget(inode: number): void {
    const place = this.#places.get(inode);
    if (place === undefined) return;
    this.#places.delete(inode);
    if (this.at(place) === inode) this.#inodes.delete(keyOf(place));
  }

  #set(inode: number, { parent, name }: Place): void {
    this.forget(inode);
    this.#places.set(inode, { parent, name });
    this.#inodes.set(keyOf({ parent, name }), inode);
  }
}

function keyOf({ parent, name }: Place): string {
  return `${parent}/${name}`;
}
