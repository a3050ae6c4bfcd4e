// Directories that another mount has renamed. When one is a program's working
// directory, getcwd(2) finds no path once the kernel has forgotten the old name,
// until the new one is looked up; then the kernel takes it for the same directory,
// with all that is in it. So this mount looks the new name up by itself: from a
// thread of the pool, since this very process gives the answer, one at a time,
// and nothing waits for it.
import { Buffer } from 'node:buffer';
import { lstat } from 'node:fs/promises';
import { errorFields } from '../../../runtime/caught-errors.js';
import { rethrowProgramFault } from '../../../runtime/faults.js';
import type { Log } from '../../../runtime/log.js';
import type { NamePlace } from '../../posix/name-place.js';
import type { DirectoryPlaces } from './directory-places.js';

/** More are not looked up: hardly a program works in each of so many. */
const MOST_WAITING = 100;

export class MovedDirectories {
  #waiting = 0;
  #looking: Promise<void> = Promise.resolve();
  #isEnded = false;

  /** Of the mount. */
  readonly #root: string;
  readonly #places: DirectoryPlaces;
  readonly #log: Log;

  constructor(root: string, places: DirectoryPlaces, log: Log) {
    this.#root = root;
    this.#places = places;
    this.#log = log;
  }

  /** Another mount has renamed `from`, or exchanged both. `forgotten` resolves when the kernel has forgotten both names. */
  follow(from: NamePlace, to: NamePlace, forgotten: Promise<void>): void {
    const moved = this.#places.at(from);
    const replaced = this.#places.at(to);
    // As if exchanged: a directory that was replaced is not found at the old name, which does no harm.
    this.#places.renamed(from, to, true);
    if (moved !== undefined) this.#lookUp(moved, to, forgotten);
    if (replaced !== undefined) this.#lookUp(replaced, from, forgotten);
  }

  /** No lookup begins after this. */
  end(): void {
    this.#isEnded = true;
  }

  #lookUp(inode: number, place: NamePlace, forgotten: Promise<void>): void {
    if (this.#isEnded || this.#waiting >= MOST_WAITING) return;
    this.#waiting++;
    this.#looking = this.#lookUpAfter([this.#looking, forgotten], inode, place);
  }

  /** Never rejects. */
  async #lookUpAfter(before: Promise<void>[], inode: number, place: NamePlace): Promise<void> {
    try {
      await Promise.all(before);
      // It may have been renamed again meanwhile, or the kernel may have forgotten it.
      const names = this.#places.at(place) === inode && !this.#isEnded ? this.#places.pathTo(place) : undefined;
      if (names === undefined) return;
      await lstat(Buffer.concat([Buffer.from(`${this.#root}/`), Buffer.from(names.join('/'), 'latin1')]));
    } catch (error) {
      rethrowProgramFault(error);
      // It is not there any more, or not for this user.
      this.#log.debug('mount.not_followed', { inode, ...errorFields(error) });
    } finally {
      this.#waiting--;
    }
  }
}
