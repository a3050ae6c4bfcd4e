// The locks that this mount was granted. The mediator keeps the locks of all
// mounts; the table here says them again to a mediator that was started anew.
import { ServiceError } from '../../protocol/errors.js';
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
  /** Called with locks that another mount was granted meanwhile. */
  onLost(locks: readonly FileLock[]): void;
  /** Called when the mediator may take other locks for granted than this mount: the next begin of the session tells it. */
  onUnclear(): void;
}

export class SessionLocks {
  readonly #granted = new LockTable();
  /** How often the mediator was told which locks there are: one that was granted before and not told of may be lost. */
  #told = 0;

  readonly #service: SessionService;
  readonly #heard: HeardChanges;
  readonly #log: Log;
  readonly #retry: SessionLocksDependencies['retry'];
  readonly #onLost: SessionLocksDependencies['onLost'];
  readonly #onUnclear: SessionLocksDependencies['onUnclear'];

  constructor({ service, heard, log, retry, onLost, onUnclear }: SessionLocksDependencies) {
    this.#service = service;
    this.#heard = heard;
    this.#log = log;
    this.#retry = retry;
    this.#onLost = onLost;
    this.#onUnclear = onUnclear;
  }

  /** Files with locks. */
  get size(): number {
    return this.#granted.size;
  }

  /** All locks, for a session that is begun. */
  tellAll(): FileLock[] {
    this.#told++;
    return this.#granted.heldBy(SELF);
  }

  /** fcntl(2) F_SETLK, F_SETLKW and flock(2); `type` null unlocks. EAGAIN: others have it; EDEADLK; CANCELLED when `signal` aborts. */
  async set(
    lock: LockRange & { type: LockType | null; pid: number },
    wait: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const { type, ...range } = lock;
    try {
      if (type === null) await this.#unset(range);
      else await this.#obtain({ ...range, type }, wait, signal);
    } catch (error) {
      // The mediator may have carried it out or not.
      if (error instanceof ServiceError) await this.#restore(range);
      throw error;
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
  lose(locks: readonly FileLock[]): void {
    for (const lock of locks) this.#granted.unset(SELF, lock);
    if (locks.length > 0) this.#onLost(locks);
  }

  async #unset(range: LockRange & { pid: number }): Promise<void> {
    this.#granted.unset(SELF, range);
    await this.#retry((limits) => this.#service.setLock({ ...range, type: null, wait: false }, limits));
  }

  async #obtain(lock: FileLock, wait: boolean, signal: AbortSignal): Promise<void> {
    let told: number;
    const ask = (limits: CallOptions) => {
      told = this.#told;
      return this.#service.setLock({ ...lock, wait }, limits);
    };
    for (;;) {
      if (signal.aborted) throw new ServiceError('CANCELLED', 'given up');
      told = this.#told;
      // A lock whose grant was lost with the connection is granted again: it conflicts with locks of others only.
      const { granted, after } = await this.#retry(ask, signal);
      if (!granted) continue;
      // The changes of the previous holder must not be hidden by a cache.
      await this.#heard.forgottenUpTo(after, signal);
      // If the mediator was told meanwhile which locks this mount has, this one was not among them, and may be lost.
      if (told === this.#told) break;
    }
    this.#granted.set(SELF, lock);
  }

  /** After a request with an unknown outcome: the owner has in the range what this mount's table says, unless others got that. */
  async #restore({ inode, kind, owner, start, end }: LockRange): Promise<void> {
    const range = { inode, kind, owner, start, end };
    try {
      const { lost } = await this.#retry((limits) => {
        this.#told++;
        return this.#service.restoreLocks({ ...range, locks: this.#granted.heldBy(SELF, range) }, limits);
      });
      this.lose(lost);
    } catch (error) {
      this.#log.warn('session.lock_unclear', { inode, ...errorFields(error) });
      this.#onUnclear();
    }
  }
}

const neverAborts = new AbortController().signal;
