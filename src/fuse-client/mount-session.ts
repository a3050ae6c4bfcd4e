// The mount's session with the mediator: hears of what other mounts change,
// says what this one holds, and keeps its locks. A connection that was lost is
// taken up again for ever; a mediator that has forgotten is told.
import { ServiceError } from '../protocol/errors.js';
import { LockTable } from '../protocol/lock-table.js';
import {
  type FileLock,
  LONGEST_WAIT_MS,
  type LockKind,
  type LockRange,
  type LockType,
  type OutdatedItem,
  type SessionService,
} from '../protocol/sessions.js';
import { sleep } from '../runtime/clock.js';
import type { Runtime } from '../runtime/runtime.js';

const CLIENT_ID_BYTES = 16;
const RETRY_MS = 200;
/** A question that waits is answered by then, or the connection is as good as lost. */
const WAIT_DEADLINE_MS = LONGEST_WAIT_MS + 5_000;
/** 2^63 - 1: the end of every file. */
const END_OF_FILE = 0x7fff_ffff_ffff_ffffn;
/** In its own table a mount is the only client. */
const SELF = 'self';

export interface SessionListener {
  outdated(items: readonly OutdatedItem[]): void;
  /** Anything may have changed. */
  missedChanges(): void;
  /** Files that are open here and have no name any more. */
  held(): number[];
}

export class MountSession {
  readonly #client: string;
  readonly #own = new LockTable();
  readonly #ending = new AbortController();
  #after = 0;
  #isFirst = true;
  #loop: Promise<void> = Promise.resolve();

  constructor(
    private readonly service: SessionService,
    private readonly listener: SessionListener,
    private readonly runtime: Runtime,
  ) {
    this.#client = Buffer.from(runtime.random.bytes(CLIENT_ID_BYTES)).toString('hex');
  }

  /** Resolves when the mediator knows this mount; changes are heard of from then on. */
  async start(): Promise<void> {
    await this.#begin();
    this.#loop = this.#listen();
  }

  /** Gives up everything; never rejects. */
  async end(): Promise<void> {
    this.#ending.abort();
    await this.#loop;
    await this.service.end({}, { deadlineMs: WAIT_DEADLINE_MS }).catch((error: unknown) => {
      // It ends by itself then, a little later.
      this.runtime.log.debug('session.end_unanswered', { reason: String(error) });
    });
  }

  /** fcntl(2) F_SETLK, F_SETLKW and flock(2); `type` null unlocks. EAGAIN: others have it; EDEADLK; CANCELLED when `signal` aborts. */
  async setLock(
    lock: LockRange & { type: LockType | null; pid: number },
    wait: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const { type, ...range } = lock;
    if (type === null) {
      this.#own.unset(SELF, range);
      await this.service.setLock({ ...lock, wait: false });
      return;
    }
    const options = { deadlineMs: WAIT_DEADLINE_MS, signal };
    for (;;) {
      if (signal.aborted) throw new ServiceError('CANCELLED', 'given up');
      try {
        const { granted } = await this.service.setLock({ ...lock, wait }, options);
        if (!granted) continue;
      } catch (error) {
        if (error instanceof ServiceError) await this.#restore(range);
        throw error;
      }
      this.#own.set(SELF, { ...range, type });
      return;
    }
  }

  async getLock(lock: FileLock): Promise<FileLock | null> {
    return (await this.service.getLock(lock)).conflict;
  }

  /** What a close means for locks: all of the owner's on the file go. */
  async unlockAll(inode: number, kind: LockKind, owner: bigint): Promise<void> {
    const range = { inode, kind, owner, start: 0n, end: END_OF_FILE };
    if (this.#own.heldBy(SELF, range).length > 0)
      await this.setLock({ ...range, type: null, pid: 0 }, false, neverAborts);
  }

  /** It is not known whether the lock was granted: the mediator gets to know what this owner had before. */
  async #restore(range: LockRange): Promise<void> {
    try {
      await this.service.setLock({ ...range, type: null, pid: 0, wait: false });
      for (const lock of this.#own.heldBy(SELF, range)) await this.service.setLock({ ...lock, wait: false });
    } catch (error) {
      this.runtime.log.warn('session.lock_unclear', { inode: range.inode, reason: String(error) });
    }
  }

  async #begin(): Promise<void> {
    const request = { client: this.#client, held: this.listener.held(), locks: this.#own.heldBy(SELF) };
    const { known, last, lost } = await this.service.begin(request);
    if (!known) {
      this.#after = last;
      if (!this.#isFirst) this.listener.missedChanges();
    }
    this.#isFirst = false;
    for (const { inode, kind, owner, start, end } of lost) {
      this.#own.unset(SELF, { inode, kind, owner, start, end });
      this.runtime.log.error('session.lock_lost', { inode, kind });
    }
  }

  /** Never rejects. */
  async #listen(): Promise<void> {
    const { signal } = this.#ending;
    let isBegun = true;
    while (!signal.aborted) {
      try {
        if (!isBegun) await this.#begin();
        isBegun = true;
        const options = { deadlineMs: WAIT_DEADLINE_MS, signal };
        const { items, last, missed } = await this.service.changes({ after: this.#after }, options);
        this.#after = last;
        if (missed) this.listener.missedChanges();
        else this.listener.outdated(items);
      } catch (error) {
        if (signal.aborted) return;
        isBegun = false;
        this.runtime.log.debug('session.interrupted', { reason: String(error) });
        await sleep(this.runtime.clock, RETRY_MS);
      }
    }
  }
}

const neverAborts = new AbortController().signal;
