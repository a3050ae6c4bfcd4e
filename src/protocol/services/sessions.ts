// SessionService: what a mount needs of a mediator beside files: to hear of
// what other mounts change, to keep what it holds alive, and locks. Whoever
// calls is known by `CallOptions.peer`, the same object for all calls of one
// connection; calls of a connection that began no session count as nobody's.
import type { FileName } from './files.js';
import type { CallOptions } from './service.js';

/** A lease: a session whose client is silent for so long is over, and so are its locks and the files that only it held. */
export const SESSION_GRACE_MS = 10_000;
/** The longest that `changes` and `setLock` wait for something to happen. */
export const LONGEST_WAIT_MS = 5_000;

/** Something that a kernel may have cached and that is outdated now. */
export type OutdatedItem =
  /** An inode's attributes; with `content`, its bytes too. */
  | { inode: number; content: boolean }
  /** What a name stands for. */
  | { parent: number; name: FileName };

export type LockKind = 'posix' | 'flock';
export type LockType = 'read' | 'write';

/** Whose a lock is, among those of one client. */
export interface LockOwner {
  kind: LockKind;
  /** A process, or an open file (flock, and F_OFD_SETLK of fcntl). Within 64 bits. */
  owner: bigint;
}

/** A range of bytes, from `start` to `end` inclusive; 2^63 - 1 is the end of every file. flock locks cover all. */
export interface LockRange extends LockOwner {
  inode: number;
  start: bigint;
  end: bigint;
}

export interface FileLock extends LockRange {
  type: LockType;
  /** Of the process, for F_GETLK. */
  pid: number;
}

export interface SessionService {
  /**
   * Begins the caller's session, or resumes it on a new connection. `client`: random, chosen once by the client.
   * `open`: all files that it has open or is opening; they live on without their names until they are closed. `locks`: those
   * that it held before. A mediator that no longer knows the client grants them again unless others got them meanwhile, and
   * answers those as `lost`. One that knows the client gives it exactly these, since answers to earlier requests may have been
   * lost, and answers as `lost` those that others exclude by now. `mediator`: the process that the session was begun with last, by its name in that answer. The
   * process that ended the session knows who has had the locks since; one that was started anew knows only who has them now.
   * `known`: false when the client may have missed changes.
   */
  begin(
    request: { client: string; open: number[]; locks: FileLock[]; mediator: string | null },
    options?: CallOptions,
  ): Promise<{ known: boolean; last: number; lost: FileLock[]; mediator: string }>;
  /**
   * The changes of others after number `after`, oldest first; waits up to LONGEST_WAIT_MS for the first. `missed`: some were
   * dropped, since there were too many. `closed`: files that the client no longer has open, and is not opening now.
   * NO_SESSION when the caller has no session, as from the methods below.
   */
  changes(
    request: { after: number; closed: number[] },
    options?: CallOptions,
  ): Promise<{ items: OutdatedItem[]; last: number; missed: boolean }>;
  /**
   * Sets a lock, or takes the owner's away from the range (`type` null). Waits up to LONGEST_WAIT_MS with `wait`; EAGAIN:
   * others have it; EDEADLK. `after`: the number of the last change that others made before it was granted. The client may not
   * use its caches under the lock before it has heard of that change.
   */
  setLock(
    request: LockRange & { type: LockType | null; pid: number; wait: boolean },
    options?: CallOptions,
  ): Promise<{ granted: boolean; after: number }>;
  /**
   * After a request with an unknown outcome: in the range, the owner has `locks`, and no others. It is one step: nobody who waits
   * is served in between. `lost`: those that exclude what others were granted.
   */
  restoreLocks(request: LockRange & { locks: FileLock[] }, options?: CallOptions): Promise<{ lost: FileLock[] }>;
  /** Of the locks of other owners that would be in the way, the one that begins first. */
  getLock(request: FileLock, options?: CallOptions): Promise<{ conflict: FileLock | null }>;
  /** The client is going: everything it had is given up at once. */
  end(request: Record<string, never>, options?: CallOptions): Promise<Record<string, never>>;
}
