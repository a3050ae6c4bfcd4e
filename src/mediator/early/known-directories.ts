// What is known of the names in directories, and in which order they are listed.
import type { EntryRow } from '../../namespace/state/entry-rows.js';
import type { DirectoryEntry, FileName } from '../../protocol/services/files.js';
import { firstAfter } from '../../protocol/values/listing.js';
import { OrderedByUse } from '../../runtime/ordered-by-use.js';

/** Of an entry that was looked up: its place in listings is not known. */
export const UNKNOWN_COOKIE = 0;

/** Names and directories together: about 20 megabytes, and ten more when all are listed. */
const MAXIMUM_NAMES = 65_536;

export class KnownDirectory {
  /** null: there is no such name. */
  readonly #names = new Map<FileName, EntryRow | null>();
  #present = 0;
  /** The names that exist, as they are listed; absent until somebody lists them, and after a change of a name whose place is not known. */
  #listing: DirectoryEntry[] | undefined;

  /** Names of which something is known. */
  get size(): number {
    return this.#names.size;
  }

  /** Names that exist, of those. */
  get present(): number {
    return this.#present;
  }

  /** null: there is no such name; undefined: that is not known. */
  entry(name: FileName): EntryRow | null | undefined {
    return this.#names.get(name);
  }

  set(name: FileName, entry: EntryRow | null): void {
    const before = this.#names.get(name);
    if (before !== undefined && before !== null) this.#present--;
    if (entry !== null) this.#present++;
    this.#names.set(name, entry);
    this.#relist(name, before ?? null, entry);
  }

  /** Keeps the listing in order: to sort it anew after each change would make removing all of a large directory slow. */
  #relist(name: FileName, before: EntryRow | null, entry: EntryRow | null): void {
    const listing = this.#listing;
    if (listing === undefined) return;
    if (before?.cookie === UNKNOWN_COOKIE || entry?.cookie === UNKNOWN_COOKIE) {
      this.#listing = undefined;
      return;
    }
    if (before !== null) listing.splice(firstAfter(listing, before.cookie - 1), 1);
    if (entry !== null) listing.splice(firstAfter(listing, entry.cookie), 0, toListed(name, entry));
  }

  /** Copies of known entries behind a cookie, as they are listed; undefined when the place of one is not known. */
  entriesAfter(cookie: number, limit: number): DirectoryEntry[] | undefined {
    this.#listing ??= this.#sorted();
    if (this.#listing[0]?.cookie === UNKNOWN_COOKIE) return undefined;
    const first = firstAfter(this.#listing, cookie);
    const page = this.#listing.slice(first, first + limit);
    return page.map(({ name, inode, kind, cookie }) => ({ name, inode, kind, cookie }));
  }

  /** Mostly the names are in this order already. */
  #sorted(): DirectoryEntry[] {
    const listing: DirectoryEntry[] = [];
    for (const [name, entry] of this.#names) {
      if (entry !== null) listing.push(toListed(name, entry));
    }
    return listing.sort((a, b) => a.cookie - b.cookie);
  }
}

function toListed(name: FileName, { inode, kind, cookie }: EntryRow): DirectoryEntry {
  return { name, inode, kind, cookie };
}

export class KnownDirectories {
  readonly #directories = new OrderedByUse<number, KnownDirectory>();
  #size = 0;

  /** Directories, and names in them. */
  get size(): number {
    return this.#size;
  }

  get(inode: number): KnownDirectory | undefined {
    return this.#directories.get(inode);
  }

  /** The same; counts as a use. */
  use(inode: number): KnownDirectory | undefined {
    return this.#directories.use(inode);
  }

  /** The same; one of which nothing is known is added. */
  of(inode: number): KnownDirectory {
    const known = this.#directories.use(inode);
    if (known !== undefined) return known;
    const directory = new KnownDirectory();
    this.#directories.set(inode, directory);
    this.#size++;
    return directory;
  }

  set(directory: KnownDirectory, name: FileName, entry: EntryRow | null): void {
    const before = directory.size;
    directory.set(name, entry);
    this.#size += directory.size - before;
  }

  forget(inode: number): void {
    const directory = this.#directories.get(inode);
    if (directory === undefined) return;
    this.#size -= 1 + directory.size;
    this.#directories.delete(inode);
  }

  clear(): void {
    this.#directories.clear();
    this.#size = 0;
  }

  /** Drops what was not used for longest. */
  makeRoom(): void {
    for (const inode of this.#directories.keys()) {
      if (this.#size <= MAXIMUM_NAMES) return;
      this.forget(inode);
    }
  }
}
