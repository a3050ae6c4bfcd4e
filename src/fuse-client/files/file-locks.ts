// The locks of programs on open files, fcntl(2) and flock(2): which owner has
// set some through which handle. The kernel tells of the end of a process's locks
// with FLUSH; those of an open file description (F_OFD_SETLK, flock) end with its
// RELEASE, of which the kernel says only for flock that there are any.
import { FileError } from '../../protocol/errors.js';
import type { FileLock, LockOwner, LockRange, LockType } from '../../protocol/services/sessions.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { FileHandle, HandleTable } from '../handles/handle-table.js';
import type { KnownInodes } from '../inodes/known-inodes.js';
import type { MountSession } from '../session/mount-session.js';
import { throwLostLock } from '../write-back/unreported-errors.js';
import type { OpenFiles } from './open-files.js';

export class FileLocks {
  readonly #session: MountSession | undefined;
  readonly #handles: HandleTable;
  readonly #opened: OpenFiles;
  readonly #known: KnownInodes;
  readonly #runtime: Runtime;

  /** @param session where locks are kept; without it the kernel keeps them */
  constructor(
    session: MountSession | undefined,
    handles: HandleTable,
    opened: OpenFiles,
    known: KnownInodes,
    runtime: Runtime,
  ) {
    this.#session = session;
    this.#handles = handles;
    this.#opened = opened;
    this.#known = known;
    this.#runtime = runtime;
  }

  get areKept(): boolean {
    return this.#session !== undefined;
  }

  /** See MountSession.setLock; what was written under a lock is stored before others can have it, or read under it. */
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
    if (lock.type !== 'write') await this.#opened.settle(file.inode);
    if (lock.type !== null) {
      throwLostLock(open);
      add(open, lock);
      file.guard.watch();
    }
    try {
      await session.setLock({ ...lock, inode: file.inode }, wait, signal);
    } finally {
      // Whoever asked at the same time has taken the owner away when that failed.
      if (session.hasLocks(file.inode, lock)) add(open, lock);
      else this.#forget(open, lock);
    }
  }

  async get(lock: FileLock): Promise<FileLock | null> {
    if (this.#session === undefined) throw new FileError('ENOSYS', 'the kernel keeps the locks');
    return this.#session.getLock(lock);
  }

  /** A close of one descriptor: the process loses its fcntl locks on the file, through whatever handle it has set them. */
  async closed(handle: number, owner: bigint): Promise<void> {
    if (this.#session === undefined) return;
    const open = this.#handles.file(handle);
    await this.#drop(open, { kind: 'posix', owner });
  }

  /** The last close of an open file: what was set through it and has not gone with a process goes now. */
  async released(handle: number): Promise<void> {
    const open = this.#handles.file(handle);
    if (open.lockOwners.length === 0) return;
    await this.#opened.settle(open.file.inode);
    for (const owner of open.lockOwners) await this.#drop(open, owner);
  }

  /**
   * The mount was silent until its session ended, and others have had these locks since: the handles through which they were
   * set fail until they are closed, and nothing is stored that may have been written under them.
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
      this.#known.file(inode)?.lose(new FileError('EIO', 'a lock was lost under which this may have been written'));
    }
  }

  async #drop(open: FileHandle, owner: LockOwner): Promise<void> {
    this.#forget(open, owner);
    await this.#session?.unlockAll(open.file.inode, owner);
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
