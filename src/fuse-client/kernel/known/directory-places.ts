// Where each directory that the kernel knows was by the last reply about it: so
// that it can be found where it has moved to. Kept until the kernel forgets it.
import type { Attributes, FileName } from '../../../protocol/services/files.js';
import { ROOT_INODE } from '../../../protocol/services/files.js';
import type { NamePlace } from '../../posix/name-place.js';

export class DirectoryPlaces {
  readonly #places = new Map<number, NamePlace>();
  readonly #inodes = new Map<string, number>();
  #renames = 0;

  /** How many renames were heard of. */
  get renames(): number {
    return this.#renames;
  }

  /** The kernel gets the inode of a name. `renames`: how many there had been when the service was asked. */
  noteEntry(parent: number, name: FileName, { kind, inode }: Attributes, renames: number): void {
    if (kind !== 'directory' || inode === ROOT_INODE || name === '.' || name === '..') return;
    // The answer may be older than a rename that was heard of meanwhile.
    if (renames !== this.#renames && this.#places.has(inode)) return;
    this.#set(inode, { parent, name });
  }

  /** This mount or another has renamed `from`; `isExchange`: both have changed places. */
  renamed(from: NamePlace, to: NamePlace, isExchange: boolean): void {
    this.#renames++;
    const moved = this.at(from);
    const replaced = this.at(to);
    if (moved !== undefined) this.forget(moved);
    if (replaced !== undefined) this.forget(replaced);
    if (moved !== undefined) this.#set(moved, to);
    if (isExchange && replaced !== undefined) this.#set(replaced, from);
  }

  /** The directory that was there last. */
  at(place: NamePlace): number | undefined {
    return this.#inodes.get(keyOf(place));
  }

  /** The names from the root to the place; undefined when a directory on the way is not known. */
  pathTo({ parent, name }: NamePlace): FileName[] | undefined {
    const names = [name];
    // Places may be outdated, so that a directory seems to be its own ancestor.
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

  #set(inode: number, { parent, name }: NamePlace): void {
    // Nothing is moved where it is already: see runtime/recent-map.ts.
    if (this.at({ parent, name }) === inode) return;
    this.forget(inode);
    this.#places.set(inode, { parent, name });
    this.#inodes.set(keyOf({ parent, name }), inode);
  }
}

function keyOf({ parent, name }: NamePlace): string {
  return `${parent}/${name}`;
}
