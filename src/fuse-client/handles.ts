// What programs hold open: a number for the kernel, the state behind it for us.
import { FileError } from '../protocol/errors.js';
import type { LockOwner } from '../protocol/sessions.js';
import type { DirectoryListing } from './directory-listing.js';
import type { WriteBackFile } from './write-back/write-back-file.js';

/** From asm-generic/fcntl.h, as the kernel hands them on. */
export const OpenFlag = {
  ACCESS_MODE: 0o3,
  READ_ONLY: 0,
  READ_WRITE: 2,
  EXCLUSIVE: 0o200,
  TRUNCATE: 0o1000,
  APPEND: 0o2000,
  DATA_SYNC: 0o10000,
  DIRECT: 0o40000,
} as const;

/** Bytes of a write that failed in the background are lost, or changes that crashes undid. One for all handles that it concerns. */
export interface Failure {
  readonly error: Error;
  readonly isOfBytes: boolean;
  /** Some program has heard of it. */
  isTold: boolean;
}

interface OpenHandle {
  /** What no fsync has told this handle of. */
  failure: Failure | undefined;
}

export interface FileHandle extends OpenHandle {
  readonly kind: 'file';
  readonly file: WriteBackFile;
  readonly writable: boolean;
  /** Open for reading too: programs may store through a mapping of it. */
  readonly mappable: boolean;
  readonly appends: boolean;
  /** O_SYNC or O_DSYNC: a write is answered when it is stored. */
  readonly synchronous: boolean;
  /** A call that is no fsync has told of it, or none need. */
  isFailureSeen: boolean;
  /** This handle made the file, and no close has made its name durable yet. */
  unsyncedName: boolean;
  /** See OpenFiles.flush. */
  flushedBefore: boolean;
  /** Who may have locks that were set through it. */
  lockOwners: readonly LockOwner[];
  /** A lock that was set through it was lost: it is of no use any more, but to be closed. */
  lostLock: FileError | undefined;
}

export const NO_OWNERS: readonly LockOwner[] = [];

export interface DirectoryHandle extends OpenHandle {
  readonly kind: 'directory';
  readonly listing: DirectoryListing;
}

export type Handle = FileHandle | DirectoryHandle;

export function inodeOf(handle: Handle): number {
  return handle.kind === 'file' ? handle.file.inode : handle.listing.inode;
}

/** For what answers that everything is stored, fsync and writes that wait for it: tells once, whatever other calls have told before. */
export function throwFailure(handle: Handle): void {
  if (handle.kind === 'file') throwLostLock(handle);
  const { failure } = handle;
  handle.failure = undefined;
  if (failure !== undefined) tell(failure);
}

/**
 * For a close, which answers for bytes, and for the name of a file that was made through the handle. It may be one of several of
 * the same handle: tells, and the others and fsync tell all the same.
 */
export function throwFailureAtClose(handle: FileHandle): void {
  const { failure, unsyncedName } = handle;
  if (failure === undefined || !(failure.isOfBytes || unsyncedName)) return;
  handle.isFailureSeen = true;
  tell(failure);
}

/** For calls that answer nothing about earlier bytes: tells once as well, and fsync tells all the same. */
export function throwUnseenFailure(handle: FileHandle): void {
  throwLostLock(handle);
  const { failure, isFailureSeen } = handle;
  handle.isFailureSeen = true;
  if (failure !== undefined && !isFailureSeen) tell(failure);
}

/** As NFSv4 does: whoever goes on as if it had the lock may spoil what others do under it, or believe what they change. */
export function throwLostLock(handle: FileHandle): void {
  if (handle.lostLock !== undefined) throw handle.lostLock;
}

function tell(failure: Failure): never {
  failure.isTold = true;
  throw failure.error;
}

export class HandleTable {
  private readonly handles = new Map<number, Handle>();
  private last = 0;

  get size(): number {
    return this.handles.size;
  }

  get all(): Iterable<Handle> {
    return this.handles.values();
  }

  /** The handle's number: 1 or more, never used twice. */
  add(handle: Handle): number {
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
