// What programs hold open: a number for the kernel, the state behind it for us.
import { FileError } from '../protocol/errors.js';
import type { DirectoryListing } from './directory-listing.js';
import type { WriteBackFile } from './write-back/write-back-file.js';

/** From asm-generic/fcntl.h, as the kernel hands them on. */
export const OpenFlag = {
  ACCESS_MODE: 0o3,
  READ_ONLY: 0,
  EXCLUSIVE: 0o200,
  TRUNCATE: 0o1000,
  APPEND: 0o2000,
  DATA_SYNC: 0o10000,
  DIRECT: 0o40000,
} as const;

export interface FileHandle {
  readonly kind: 'file';
  readonly file: WriteBackFile;
  readonly writable: boolean;
  readonly appends: boolean;
  /** O_SYNC or O_DSYNC: a write is answered when it is stored. */
  readonly synchronous: boolean;
  /** A write that failed in the background, of which neither fsync nor close has told this handle. */
  failure: Error | undefined;
  /** Another call has told of it. */
  isFailureSeen: boolean;
  /** This handle made the file, and no close has made its name durable yet. */
  unsyncedName: boolean;
  /** See OpenFiles.flush. */
  flushedBefore: boolean;
}

export interface DirectoryHandle {
  readonly kind: 'directory';
  readonly listing: DirectoryListing;
}

export class HandleTable {
  private readonly handles = new Map<number, FileHandle | DirectoryHandle>();
  private last = 0;

  /** The handle's number: 1 or more, never used twice. */
  add(handle: FileHandle | DirectoryHandle): number {
    this.last += 1;
    this.handles.set(this.last, handle);
    return this.last;
  }

  /** EBADF when there is no such file handle. */
  file(number: number): FileHandle {
    const handle = this.handles.get(number);
    if (handle?.kind !== 'file') throw new FileError('EBADF', `handle ${number} is no open file`);
    return handle;
  }

  /** EBADF when there is no such directory handle. */
  directory(number: number): DirectoryHandle {
    const handle = this.handles.get(number);
    if (handle?.kind !== 'directory') throw new FileError('EBADF', `handle ${number} is no open directory`);
    return handle;
  }

  remove(number: number): void {
    this.handles.delete(number);
  }
}
