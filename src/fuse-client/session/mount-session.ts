// The mount's session with the mediator: hears of what other mounts change,
// says what this one has open, and keeps its locks. A connection that was lost is
// taken up again for ever; a mediator that has forgotten is told, before it
// gets any other request.
import { ServiceError } from '../../protocol/errors.js';
import { LockTable } from '../../protocol/services/lock-table.js';
import { CLIENT_ID_BYTES } from '../../protocol/services/request-ids.js';
import type { CallOptions } from '../../protocol/services/service.js';
import {
  type FileLock,
  LONGEST_WAIT_MS,
  type LockOwner,
  type LockRange,
  type LockType,
  type OutdatedItem,
  type SessionService,
} from '../../protocol/services/sessions.js';
import type { RepeatedCalls } from '../../protocol/wire/repeated-calls.js';
import { sleep } from '../../runtime/clock.js';
import { randomHex } from '../../runtime/random.js';
import type { Runtime } from '../../runtime/runtime.js';

const RETRY_MS = 200;
/** A question that waits is answered by then, or the connection is as good as lost. */
const WAIT_DEADLINE_MS = LONGEST_WAIT_MS + 5_000;
/** 2^63 - 1: the end of every file. */
const END_OF_FILE = 0x7fff_ffff_ffff_ffffn;
/** In its own table a mount is the only client. */
const SELF = 'self';

export interface SessionListener {
  /** Resolves when nothing of it is used any more, in this mount or in the kernel; never rejects. */
  outdated(items: readonly OutdatedItem[]): Promise<void>;
  /** The same when anything may have changed. */
  missedChanges(): Promise<void>;
  /** Files that are open here, or being opened. */
  open(): number[];
  /** Files that were closed since the last call. */
  takeClosed(): number[];
  /** These locks that were had here are others' now, or were meanwhile. */
  lostLocks(locks: readonly FileLock[]): void;
}

export class MountSession {
  /** The name of this mount among all clients, also in the ids of its requests. */
  readonly client: string;
  readonly #own = new LockTable();
  readonly #ending = new AbortController();
  #after = 0;
  /** How often the connection had been lost when the session was begun the last time; null: it must be begun anew. */
  #begunAt: number | null = null;
  /** The process that it was begun with last. */
  #mediator: string | null = null;
  readonly #waiting = new Set<() => void>();
  /** Resolves when what was heard of until now is forgotten. */
  #forgotten: Promise<void> = Promise.resolve();
  /** Who waits until a change was heard of, by its number. */
  #unheard: { after: number; heard: () => void }[] = [];
  #isFirst = true;
  /** How often the mediator was told of all locks: what was granted before and was not among them may be lost. */
  #begins = 0;
  #loop: Promise<void> = Promise.resolve();

  readonly #service: SessionService;
  readonly #listener: SessionListener;
  readonly #runtime: Runtime;
  /** Of the connection to the mediator; undefined when it is in this process. */
  readonly #lost: RepeatedCalls | undefined;

  constructor(service: SessionService, listener: SessionListener, runtime: Runtime, lost: RepeatedCalls | undefined) {
    this.#service = service;
    this.#listener = listener;
    this.#runtime = runtime;
    this.#lost = lost;
    this.client = randomHex(runtime.random, CLIENT_ID_BYTES);
  }

  kept(): Record<string, number> {
    return { lockedFiles: this.#own.size, unheardLocks: this.#unheard.length, waitingRequests: this.#waiting.size };
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
    for (const { heard } of this.#unheard) heard();
    await this.#service.end({}, { deadlineMs: WAIT_DEADLINE_MS }).catch((error: unknown) => {
      // It ends by itself then, a little later.
      this.#runtime.log.debug('session.end_unanswered', { reason: String(error) });
    });
  }

  /**
   * Resolves, with what is left of the limits, when the mediator knows this mount over the connection that there is.
   * @throws ServiceError DEADLINE, or CANCELLED when the signal aborts first
   */
  async begun(limits: CallOptions): Promise<CallOptions> {
    if (this.#isBegun) return limits;
    const { clock } = this.#runtime;
    const { deadlineMs = WAIT_DEADLINE_MS, signal } = limits;
    const endMs = clock.monotonicMs() + deadlineMs;
    while (!this.#isBegun) {
      const leftMs = endMs - clock.monotonicMs();
      if (signal?.aborted) throw new ServiceError('CANCELLED', 'given up while the mediator was away');
      if (leftMs <= 0) throw new ServiceError('DEADLINE', `the mediator was away for ${deadlineMs} ms`);
      await this.#beginning(leftMs, signal);
    }
    return { ...limits, deadlineMs: endMs - clock.monotonicMs() };
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
      await this.#ask((limits) => this.#service.setLock({ ...lock, wait: false }, limits));
      return;
    }
    for (;;) {
      if (signal.aborted) throw new ServiceError('CANCELLED', 'given up');
      let begins = this.#begins;
      const ask = (limits: CallOptions) => {
        begins = this.#begins;
        return this.#service.setLock({ ...lock, wait }, limits);
      };
      try {
        // One that was granted and lost is granted again: it is in nobody's way but others'.
        const { granted, after } = await this.#ask(ask, signal);
        if (!granted) continue;
        await this.#heardOf(after, signal);
        // Granted by a mediator that may be no more, and the next was not told of it.
        if (begins !== this.#begins) continue;
      } catch (error) {
        if (error instanceof ServiceError) await this.#restore(range);
        throw error;
      }
      this.#own.set(SELF, { ...range, type });
      return;
    }
  }

  async getLock(lock: FileLock): Promise<FileLock | null> {
    return (await this.#ask((limits) => this.#service.getLock(lock, limits))).conflict;
  }

  /** Whether the owner was granted a lock on the file and has it still. */
  hasLocks(inode: number, { kind, owner }: LockOwner): boolean {
    return this.#own.heldBy(SELF, { inode, kind, owner, start: 0n, end: END_OF_FILE }).length > 0;
  }

  /** What a close means for locks: all of the owner's on the file go. */
  async unlockAll(inode: number, { kind, owner }: LockOwner): Promise<void> {
    if (!this.hasLocks(inode, { kind, owner })) return;
    const range = { inode, kind, owner, start: 0n, end: END_OF_FILE };
    await this.setLock({ ...range, type: null, pid: 0 }, false, neverAborts);
  }

  get #isBegun(): boolean {
    return this.#begunAt === this.#losses;
  }

  get #losses(): number {
    return this.#lost?.losses ?? 0;
  }

  /** Until the session is begun, the time is over, or the signal aborts. */
  #beginning(limitMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#runtime.clock.after(limitMs, () => wake());
      const wake = (): void => {
        timer.cancel();
        this.#waiting.delete(wake);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal?.addEventListener('abort', wake);
    });
  }

  /** A request about locks, which are asked for again when it is lost. */
  #ask<T>(request: (limits: CallOptions) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const limits = { deadlineMs: WAIT_DEADLINE_MS, ...(signal === undefined ? {} : { signal }) };
    if (this.#lost === undefined) return request(limits);
    return this.#lost.repeat(async ({ deadlineMs }) => {
      await this.begun({ ...limits, ...(deadlineMs === undefined ? {} : { deadlineMs }) });
      return request(limits);
    });
  }

  /** It is not known whether the lock was granted: the mediator gets to know what this owner had before. */
  async #restore(range: LockRange): Promise<void> {
    try {
      await this.#service.setLock({ ...range, type: null, pid: 0, wait: false });
      for (const lock of this.#own.heldBy(SELF, range)) await this.#service.setLock({ ...lock, wait: false });
    } catch (error) {
      this.#runtime.log.warn('session.lock_unclear', { inode: range.inode, reason: String(error) });
    }
  }

  /** What the one who had the lock before has changed must not be read from a cache. CANCELLED when `signal` aborts. */
  async #heardOf(after: number, signal: AbortSignal): Promise<void> {
    let cancel = (): void => {};
    const cancelled = new Promise<never>((_resolve, reject) => {
      cancel = () => reject(new ServiceError('CANCELLED', 'given up'));
    });
    signal.addEventListener('abort', cancel);
    if (signal.aborted) cancel();
    try {
      if (after > this.#after) {
        const heard = new Promise<void>((resolve) => void this.#unheard.push({ after, heard: resolve }));
        await Promise.race([heard, cancelled]);
      }
      await Promise.race([this.#forgotten, cancelled]);
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }

  /** All up to that number is being forgotten. */
  #hears(after: number, forgotten: Promise<void>): void {
    this.#after = after;
    const earlier = this.#forgotten;
    this.#forgotten = earlier.then(() => forgotten);
    for (const { heard } of this.#unheard.filter((one) => one.after <= after)) heard();
    this.#unheard = this.#unheard.filter((one) => one.after > after);
  }

  async #begin(): Promise<void> {
    const losses = this.#losses;
    this.#begins++;
    // The list of all says it.
    this.#listener.takeClosed();
    const { client } = this;
    const request = { client, open: this.#listener.open(), locks: this.#own.heldBy(SELF), mediator: this.#mediator };
    const { known, last, lost, mediator } = await this.#service.begin(request);
    this.#mediator = mediator;
    // Before anything is asked of this mediator: what waits for it must not be stored where a lock was lost.
    for (const lock of lost) this.#own.unset(SELF, lock);
    if (lost.length > 0) this.#listener.lostLocks(lost);
    if (!known) {
      // Numbers of a mediator that is no more.
      for (const one of this.#unheard) one.after = last;
      this.#hears(last, this.#isFirst ? Promise.resolve() : this.#listener.missedChanges());
    }
    this.#isFirst = false;
    this.#begunAt = losses;
    for (const wake of [...this.#waiting]) wake();
  }

  /** Never rejects. */
  async #listen(): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      try {
        if (!this.#isBegun) await this.#begin();
        const options = { deadlineMs: WAIT_DEADLINE_MS, signal };
        const { items, last, missed } = await this.#service.changes(
          { after: this.#after, closed: this.#listener.takeClosed() },
          options,
        );
        this.#hears(last, missed ? this.#listener.missedChanges() : this.#listener.outdated(items));
      } catch (error) {
        if (signal.aborted) return;
        this.#begunAt = null;
        this.#runtime.log.debug('session.interrupted', { reason: String(error) });
        await sleep(this.#runtime.clock, RETRY_MS);
      }
    }
  }
}

const neverAborts = new AbortController().signal;
