// A directory that another mount has renamed, and that a program here has for
// its working directory: once its old name is forgotten, getcwd(2) finds no path,
// until somebody looks the new one up; then the kernel takes it for the same
// directory, with all that is in it. So this mount looks it up itself, from a
// thread of the pool, since the answer is given by this very process: one at a
// time, and nothing waits for it.
import { Buffer } from 'node:buffer';
import { lstat } from 'node:fs/promises';
import type { Log } from '../../../runtime/log.js';
import type { DirectoryPlaces, Place } from './directory-places.js';

/** More is not looked up: whoever renames so much has no program in each of them. */
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

  /** Another mount has renamed `from`, or exchanged both; the kernel knows neither name any more when `forgotten` resolves. */
  follow(from: Place, to: Place, forgotten: Promise<void>): void {
    const moved = this.#places.at(from);
    const replaced = this.#places.at(to);
    // What was replaced is looked for in vain, and is not missed.
    this.#places.renamed(from, to, true);
    if (moved !== undefined) this.#lookUp(moved, to, forgotten);
    if (replaced !== undefined) this.#lookUp(replaced, from, forgotten);
  }

  /** Begins nothing more. */
  end(): void {
    this.#isEnded = true;
  }

  #lookUp(inode: number, place: Place, forgotten: Promise<void>): void {
    if (this.#isEnded || this.#waiting >= MOST_WAITING) return;
    this.#waiting++;
    this.#looking = this.#lookUpAfter([this.#looking, forgotten], inode, place);
  }

  /** Never rejects. */
  async #lookUpAfter(before: Promise<void>[], inode: number, place: Place): Promise<void> {
    try {
      await Promise.all(before);
      // It may have moved on meanwhile, or the kernel forgotten it.
      const names = this.#places.at(place) === inode && !this.#isEnded ? this.#places.pathTo(place) : undefined;
      if (names === undefined) return;
      await lstat(Buffer.concat([Buffer.from(`${this.#root}/`), Buffer.from(names.join('/'), 'latin1')]));
    } catch (error) {
      // It is not there any more, or not for this user.
      this.#log.debug('mount.not_followed', { inode, reason: String(error) });
    } finally {
      this.#waiting--;
    }
  }
}
