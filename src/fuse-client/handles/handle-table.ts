// What programs hold open: the kernel knows it by a number, which is the key to its state here.
import { FileError } from '../../protocol/errors.js';
import type { LockOwner } from '../../protocol/services/sessions.js';
import type { OpenDirectory, OpenFile } from '../write-back/unreported-errors.js';
import type { WriteBackFile } from '../write-back/write-back-file.js';
import type { DirectoryListing } from './directory-listing.js';

export interface FileHandle extends OpenFile {
  readonly file: WriteBackFile;
  readonly appends: boolean;
  readonly bypassesPageCache: boolean;
  /** O_SYNC or O_DSYNC: a write is answered when it is stored. */
  readonly synchronous: boolean;
  /** A descriptor of this handle was closed before; see OpenFiles.flush. */
  flushedBefore: boolean;
}

export const NO_OWNERS: readonly LockOwner[] = [];

export interface DirectoryHandle extends OpenDirectory {
  readonly listing: DirectoryListing;
}

export type Handle = FileHandle | DirectoryHandle;

export function inodeOf(handle: Handle): number {
  return handle.kind === 'file' ? handle.file.inode : handle.listing.inode;
}

export class HandleTable {
  readonly #handles = new Map<number, Handle>();
  #last = 0;

  get size(): number {
    return this.#handles.size;
  }

  get all(): Iterable<Handle> {
    return this.#handles.values();
  }

  /** The handle's number: 1 or more, never used twice. */
  add(handle: Handle): number {
    this.#last += 1;
    this.#handles.set(this.#last, handle);
    return this.#last;
  }

  /** EBADF when there is no such file handle. */
  file(number: number): FileHandle {
    const handle = this.#handles.get(number);
    if (handle?.kind !== 'file') throw new FileError('EBADF', `handle ${number} is no open file`);
    return handle;
  }

  /** EBADF when there is no such directory handle. */
  directory(number: number): DirectoryHandle {
    const handle = this.#handles.get(number);
    if (handle?.kind !== 'directory') throw new FileError('EBADF', `handle ${number} is no open directory`);
    return handle;
  }

  remove(number: number): void {
    this.#handles.delete(number);
  }
}
