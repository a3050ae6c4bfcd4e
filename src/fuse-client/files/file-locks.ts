// The locks of programs on open files, fcntl(2) and flock(2): which owner has
// set locks through which handle. A FLUSH ends the locks of a process; a RELEASE
// those of an open file description (F_OFD_SETLK, flock), but the kernel only
// says for flock that there are any.
import { FileError } from '../../protocol/errors.js';
import type { FileLock, LockOwner, LockRange, LockType } from '../../protocol/services/sessions.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { FileHandle, HandleTable } from '../handles/handle-table.js';
import type { KnownInodes } from '../inodes/known-inodes.js';
import type { MountSession } from '../session/mount-session.js';
import { throwLostLock } from '../write-back/unreported-errors.js';

export interface FileLocksDependencies {
  /** Keeps the locks; without it the kernel keeps them. */
  session: MountSession | undefined;
  handles: HandleTable;
  known: KnownInodes;
  runtime: Runtime;
}

export class FileLocks {
  readonly #session: MountSession | undefined;
  readonly #handles: HandleTable;
  readonly #known: KnownInodes;
  readonly #runtime: Runtime;

  constructor({ session, handles, known, runtime }: FileLocksDependencies) {
    this.#session = session;
    this.#handles = handles;
    this.#known = known;
    this.#runtime = runtime;
  }

  get areKept(): boolean {
    return this.#session !== undefined;
  }

  /** See SessionLocks.set. What was written under a lock is stored before others can have the lock. */
  async set(
    handle: number,
    lock: Omit<LockRange, 'inode'> & { type: LockType | null; pid: number },
    wait: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const session = this.#session;
    if (session === undefined) throw new FileError('ENOSYS', 'the kernel keeps the locks');
    const open = this.#handles.file(handle);
    const { file } = open;
    if (lock.type !== 'write') await file.flush();
    if (lock.type !== null) {
      throwLostLock(open);
      add(open, lock);
      file.guard.watch();
    }
    try {
      await session.locks.set({ ...lock, inode: file.inode }, wait, signal);
    } finally {
      // A request of the same owner that failed meanwhile has removed it.
      if (session.locks.has(file.inode, lock)) add(open, lock);
      else this.#forget(open, lock);
    }
  }

  async get(lock: FileLock): Promise<FileLock | null> {
    if (this.#session === undefined) throw new FileError('ENOSYS', 'the kernel keeps the locks');
    return this.#session.locks.get(lock);
  }

  /** A close of one descriptor: the process loses its fcntl locks on the file, those too that it has set through other handles. */
  async closed(handle: number, owner: bigint): Promise<void> {
    if (this.#session === undefined) return;
    const open = this.#handles.file(handle);
    await this.#drop(open, { kind: 'posix', owner });
  }

  /** The last close of an open file: drops the locks that were set through it and have not ended with a process. */
  async released(handle: number): Promise<void> {
    const open = this.#handles.file(handle);
    if (open.lockOwners.length === 0) return;
    await open.file.flush();
    const dropped = await Promise.allSettled(open.lockOwners.map((owner) => this.#drop(open, owner)));
    const failed = dropped.find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
  }

  /**
   * The session of this mount had ended, and others were granted these locks since. The handles through which they were set
   * fail until they are closed; what was written under them and is pending is dropped.
   */
  lost(locks: readonly (LockOwner & { inode: number })[]): void {
    const inodes = new Map<number, number>();
    for (const handle of this.#handles.all) {
      if (handle.kind !== 'file' || handle.lostLock !== undefined) continue;
      const { inode } = handle.file;
      const isOfHandle = (lock: LockOwner & { inode: number }) =>
        lock.inode === inode && handle.lockOwners.some((owner) => isSame(owner, lock));
      if (!locks.some(isOfHandle)) continue;
      handle.lostLock = new FileError('EIO', 'a lock was lost that was set through this descriptor: it must be closed');
      inodes.set(inode, (inodes.get(inode) ?? 0) + 1);
    }
    for (const [inode, failingHandles] of inodes) {
      this.#runtime.log.warn('mount.locks_lost', { inode, failingHandles });
      this.#known
        .file(inode)
        ?.dropPending(new FileError('EIO', 'a lock was lost under which this may have been written'));
    }
  }

  async #drop(open: FileHandle, owner: LockOwner): Promise<void> {
    this.#forget(open, owner);
    await this.#session?.locks.unlockAll(open.file.inode, owner);
  }

  #forget({ file }: FileHandle, owner: LockOwner): void {
    for (const each of file.handles) {
      if (each.lockOwners.length > 0) each.lockOwners = each.lockOwners.filter((other) => !isSame(other, owner));
    }
  }
}

function add(open: FileHandle, { kind, owner }: LockOwner): void {
  if (open.lockOwners.some((other) => isSame(other, { kind, owner }))) return;
  open.lockOwners = [...open.lockOwners, { kind, owner }];
}

function isSame(one: LockOwner, other: LockOwner): boolean {
  return one.kind === other.kind && one.owner === other.owner;
}
