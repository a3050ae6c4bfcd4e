// Errors that no system call has reported yet: of writes that failed in the
// background, of changes that crashes undid, and of locks that were lost.
import type { FileError } from '../../protocol/errors.js';
import type { LockOwner } from '../../protocol/services/sessions.js';

/** What was lost of one inode. All handles that it concerns share one. */
export interface UnreportedError {
  readonly error: Error;
  /** true: bytes of a write that failed in the background. false: changes of names or attributes that crashes undid. */
  readonly isDataLoss: boolean;
  /** A call through any of the handles has reported it. */
  isReported: boolean;
}

/** A handle on a file, as far as errors and write-back need it. */
export interface OpenFile {
  readonly kind: 'file';
  readonly writable: boolean;
  /** Open for reading too: programs may store through a mapping of it. */
  readonly mappable: boolean;
  /** The error that fsync has not reported through this handle yet. */
  unreported: UnreportedError | undefined;
  /** A call other than fsync has reported the error through this handle, or none has to. */
  isReportedBeforeFsync: boolean;
  /** This handle made the file, and no close has made its name durable yet. */
  unsyncedName: boolean;
  /** Who may have locks that were set through it. */
  lockOwners: readonly LockOwner[];
  /** A lock that was set through it was lost: every call but close fails. */
  lostLock: FileError | undefined;
}

export interface OpenDirectory {
  readonly kind: 'directory';
  /** The error that fsync has not reported through this handle yet. */
  unreported: UnreportedError | undefined;
}

/** Throws the error that fsync has not reported yet, and clears it. For fsync, and for writes with O_SYNC. */
export function throwErrorAtFsync(handle: OpenFile | OpenDirectory): void {
  if (handle.kind === 'file') throwLostLock(handle);
  const { unreported } = handle;
  handle.unreported = undefined;
  if (unreported !== undefined) report(unreported);
}

/**
 * Throws the error if it concerns written bytes, or the name of a file that was made through this handle. Does not clear it:
 * this may be the close of a duplicated descriptor, and the other closes and fsync report the error too.
 */
export function throwErrorAtClose(handle: OpenFile): void {
  const { unreported, unsyncedName } = handle;
  if (unreported === undefined || !(unreported.isDataLoss || unsyncedName)) return;
  handle.isReportedBeforeFsync = true;
  report(unreported);
}

/** Throws the error unless a call has reported it through this handle. Does not clear it: fsync reports it once more. */
export function throwErrorOnce(handle: OpenFile): void {
  throwLostLock(handle);
  const { unreported, isReportedBeforeFsync } = handle;
  handle.isReportedBeforeFsync = true;
  if (unreported !== undefined && !isReportedBeforeFsync) report(unreported);
}

/**
 * Throws if a lock was lost that was set through this handle, as NFSv4 does: a program that goes on as if it had the lock may
 * overwrite what the new holder writes, or rely on bytes that the new holder changes.
 */
export function throwLostLock(handle: OpenFile): void {
  if (handle.lostLock !== undefined) throw handle.lostLock;
}

function report(unreported: UnreportedError): never {
  unreported.isReported = true;
  throw unreported.error;
}
