// Errors that a program has not been told yet: of writes that failed in the
// background, and of locks that were lost. Each call tells what it answers for.
import type { FileError } from '../../protocol/errors.js';
import type { LockOwner } from '../../protocol/services/sessions.js';

/** Bytes of a write that failed in the background are lost, or changes that crashes undid. One for all handles that it concerns. */
export interface Failure {
  readonly error: Error;
  readonly isOfBytes: boolean;
  /** Some program has heard of it. */
  isTold: boolean;
}

/** What an open file has to tell, and to whom it matters. */
export interface OpenFile {
  readonly kind: 'file';
  readonly writable: boolean;
  /** Open for reading too: programs may store through a mapping of it. */
  readonly mappable: boolean;
  /** What no fsync has told this handle of. */
  failure: Failure | undefined;
  /** A call that is no fsync has told of it, or none need. */
  isFailureSeen: boolean;
  /** This handle made the file, and no close has made its name durable yet. */
  unsyncedName: boolean;
  /** Who may have locks that were set through it. */
  lockOwners: readonly LockOwner[];
  /** A lock that was set through it was lost: it is of no use any more, but to be closed. */
  lostLock: FileError | undefined;
}

export interface OpenDirectory {
  readonly kind: 'directory';
  /** What no fsync has told this handle of. */
  failure: Failure | undefined;
}

/** For what answers that everything is stored, fsync and writes that wait for it: tells once, whatever other calls have told before. */
export function throwFailure(handle: OpenFile | OpenDirectory): void {
  if (handle.kind === 'file') throwLostLock(handle);
  const { failure } = handle;
  handle.failure = undefined;
  if (failure !== undefined) tell(failure);
}

/**
 * For a close, which answers for bytes, and for the name of a file that was made through the handle. It may be one of several of
 * the same handle: tells, and the others and fsync tell all the same.
 */
export function throwFailureAtClose(handle: OpenFile): void {
  const { failure, unsyncedName } = handle;
  if (failure === undefined || !(failure.isOfBytes || unsyncedName)) return;
  handle.isFailureSeen = true;
  tell(failure);
}

/** For calls that answer nothing about earlier bytes: tells once as well, and fsync tells all the same. */
export function throwUnseenFailure(handle: OpenFile): void {
  throwLostLock(handle);
  const { failure, isFailureSeen } = handle;
  handle.isFailureSeen = true;
  if (failure !== undefined && !isFailureSeen) tell(failure);
}

/** As NFSv4 does: whoever goes on as if it had the lock may spoil what others do under it, or believe what they change. */
export function throwLostLock(handle: OpenFile): void {
  if (handle.lostLock !== undefined) throw handle.lostLock;
}

function tell(failure: Failure): never {
  failure.isTold = true;
  throw failure.error;
}
