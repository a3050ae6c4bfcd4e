// Directories that programs hold open: listing them, and fsync of them.
import type { DirectoryEntry } from '../../protocol/services/files.js';
import { DirectoryListing, type ListingDependencies } from '../handles/directory-listing.js';
import type { HandleTable } from '../handles/handle-table.js';
import type { UnsyncedChanges } from '../inodes/unsynced-changes.js';
import { throwErrorAtFsync } from '../write-back/unreported-errors.js';

export class OpenDirectories {
  readonly #handles: HandleTable;
  readonly #unsynced: UnsyncedChanges;
  readonly #listing: ListingDependencies;

  constructor(handles: HandleTable, unsynced: UnsyncedChanges, listing: ListingDependencies) {
    this.#handles = handles;
    this.#unsynced = unsynced;
    this.#listing = listing;
  }

  open(inode: number): number {
    const listing = new DirectoryListing(inode, this.#listing);
    return this.#handles.add({ kind: 'directory', listing, unreported: this.#unsynced.errorOf(inode) });
  }

  /** Up to `most` entries after `cookie`, `.` and `..` first; none at the end. More may follow behind those that are answered. */
  async read(handle: number, cookie: number, withAttributes: boolean, most: number): Promise<DirectoryEntry[]> {
    return this.#handles.directory(handle).listing.after(cookie, withAttributes, most);
  }

  async fsync(handle: number): Promise<void> {
    const open = this.#handles.directory(handle);
    await this.#unsynced.sync(open.listing.inode);
    throwErrorAtFsync(open);
  }

  release(handle: number): void {
    this.#handles.directory(handle);
    this.#handles.remove(handle);
  }
}
