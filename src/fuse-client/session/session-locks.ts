// The locks that this mount was granted. The mediator keeps the locks of all
// mounts; the table here says them again to a mediator that was started anew.
import { FileError, ServiceError } from '../../protocol/errors.js';
import { LockTable } from '../../protocol/services/lock-table.js';
import type { CallOptions } from '../../protocol/services/service.js';
import type { FileLock, LockOwner, LockRange, LockType, SessionService } from '../../protocol/services/sessions.js';
import { errorFields } from '../../runtime/caught-errors.js';
import type { Log } from '../../runtime/log.js';
import type { HeardChanges } from './heard-changes.js';

/** 2^63 - 1: the end of every file. */
const END_OF_FILE = 0x7fff_ffff_ffff_ffffn;
/** In its own table a mount is the only client. */
const SELF = 'self';

export interface SessionLocksDependencies {
  service: SessionService;
  heard: HeardChanges;
  log: Log;
  /** Retries a request that was lost with the connection, once the session is begun again. */
  retry<T>(request: (limits: CallOptions) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** How often the mediator was told of all locks: one that was granted before and not told of may be lost. */
  begins(): number;
  /** Called with locks that another mount was granted meanwhile. */
  onLost(locks: readonly FileLock[]): void;
}

export class SessionLocks {
  readonly #granted = new LockTable();

  readonly #service: SessionService;
  readonly #heard: HeardChanges;
  readonly #log: Log;
  readonly #retry: SessionLocksDependencies['retry'];
  readonly #begins: () => number;
  readonly #onLost: SessionLocksDependencies['onLost'];

  constructor({ service, heard, log, retry, begins, onLost }: SessionLocksDependencies) {
    this.#service = service;
    this.#heard = heard;
    this.#log = log;
    this.#retry = retry;
    this.#begins = begins;
    this.#onLost = onLost;
  }

  /** Files with locks. */
  get size(): number {
    return this.#granted.size;
  }

  get all(): FileLock[] {
    return this.#granted.heldBy(SELF);
  }

  /** fcntl(2) F_SETLK, F_SETLKW and flock(2); `type` null unlocks. EAGAIN: others have it; EDEADLK; CANCELLED when `signal` aborts. */
  async set(
    lock: LockRange & { type: LockType | null; pid: number },
    wait: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const { type, ...range } = lock;
    if (type === null) {
      this.#granted.unset(SELF, range);
      await this.#retry((limits) => this.#service.setLock({ ...lock, wait: false }, limits));
      return;
    }
    for (;;) {
      if (signal.aborted) throw new ServiceError('CANCELLED', 'given up');
      let begins = this.#begins();
      const ask = (limits: CallOptions) => {
        begins = this.#begins();
        return this.#service.setLock({ ...lock, wait }, limits);
      };
      try {
        // A lock whose grant was lost with the connection is granted again: it conflicts with locks of others only.
        const { granted, after } = await this.#retry(ask, signal);
        if (!granted) continue;
        // The changes of the previous holder must not be hidden by a cache.
        await this.#heard.forgottenUpTo(after, signal);
        // It may have been granted by a mediator that is no more, and the next one was not told of it.
        if (begins !== this.#begins()) continue;
      } catch (error) {
        if (error instanceof ServiceError) await this.#restore(range);
        throw error;
      }
      this.#granted.set(SELF, { ...range, type });
      return;
    }
  }

  /** fcntl(2) F_GETLK. */
  async get(lock: FileLock): Promise<FileLock | null> {
    return (await this.#retry((limits) => this.#service.getLock(lock, limits))).conflict;
  }

  /** Whether the owner was granted a lock on the file and has it still. */
  has(inode: number, { kind, owner }: LockOwner): boolean {
    return this.#granted.heldBy(SELF, { inode, kind, owner, start: 0n, end: END_OF_FILE }).length > 0;
  }

  /** A close: all of the owner's locks on the file go. */
  async unlockAll(inode: number, { kind, owner }: LockOwner): Promise<void> {
    if (!this.has(inode, { kind, owner })) return;
    const range = { inode, kind, owner, start: 0n, end: END_OF_FILE };
    await this.set({ ...range, type: null, pid: 0 }, false, neverAborts);
  }

  /** The mediator has granted these to others. */
  lost(locks: readonly FileLock[]): void {
    for (const lock of locks) this.#granted.unset(SELF, lock);
  }

  /**
   * After a request with an unknown outcome: tells the mediator which locks this owner had before. Each replaces the new lock in
   * one step, so that nobody else can be granted it in between.
   */
  async #restore(range: LockRange): Promise<void> {
    try {
      let { start } = range;
      const before = this.#granted.heldBy(SELF, range).sort((one, other) => (one.start < other.start ? -1 : 1));
      for (const lock of before) {
        await this.#setAgain(lock);
        if (lock.start > start) await this.#unset({ ...range, start, end: lock.start - 1n });
        start = lock.end + 1n;
      }
      if (start <= range.end) await this.#unset({ ...range, start });
    } catch (error) {
      this.#log.warn('session.lock_unclear', { inode: range.inode, ...errorFields(error) });
    }
  }

  /** Sets a lock that this mount has. It is lost when another mount was granted one that excludes it. */
  async #setAgain(lock: FileLock): Promise<void> {
    try {
      await this.#service.setLock({ ...lock, wait: false });
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      this.lost([lock]);
      this.#onLost([lock]);
    }
  }

  async #unset(range: LockRange): Promise<void> {
    await this.#service.setLock({ ...range, type: null, pid: 0, wait: false });
  }
}

const neverAborts = new AbortController().signal;
