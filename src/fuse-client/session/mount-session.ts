// The mount's session with the mediator: hears of what other mounts change, says
// what this one has open, and keeps its locks. A lost connection is retried for
// ever. A mediator that was started anew is told of all locks and open files
// before it gets any other request.
import { ServiceError } from '../../protocol/errors.js';
import type { CallOptions } from '../../protocol/services/service.js';
import {
  type FileLock,
  LONGEST_WAIT_MS,
  type OutdatedItem,
  type SessionService,
} from '../../protocol/services/sessions.js';
import { CLIENT_ID_BYTES } from '../../protocol/values/request-ids.js';
import type { RepeatedCalls } from '../../protocol/wire/repeated-calls.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { sleep } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import { randomHex } from '../../runtime/random.js';
import type { Runtime } from '../../runtime/runtime.js';
import { HeardChanges } from './heard-changes.js';
import { SessionLocks } from './session-locks.js';

const RETRY_MS = 200;
/** The mediator answers a request that waits by then; later, the connection is taken for lost. */
const WAIT_DEADLINE_MS = LONGEST_WAIT_MS + 5_000;

export interface SessionListener {
  /** Resolves when nothing of it is used any more, in this mount or in the kernel; never rejects. */
  outdated(items: readonly OutdatedItem[]): Promise<void>;
  /** The same when anything may have changed. */
  missedChanges(): Promise<void>;
  /** Files that are open here, or being opened. */
  open(): number[];
  /** Files that were closed since the last call. */
  takeClosed(): number[];
  /** Others have these locks of this mount now, or had them meanwhile. */
  lostLocks(locks: readonly FileLock[]): void;
}

export class MountSession {
  /** The name of this mount among all clients, also in the ids of its requests. */
  readonly client: string;
  readonly locks: SessionLocks;
  readonly #heard = new HeardChanges();
  readonly #ending = new AbortController();
  /** How often the connection had been lost when the session was begun last; null: it must be begun anew. */
  #begunAt: number | null = null;
  /** The process with which it was begun last. */
  #mediator: string | null = null;
  /** Requests that wait until the session is begun. */
  readonly #waiting = new Set<() => void>();
  #isFirst = true;
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
    this.locks = new SessionLocks({
      service,
      heard: this.#heard,
      log: runtime.log,
      retry: (request, signal) => this.#retry(request, signal),
      onLost: (locks) => this.#listener.lostLocks(locks),
      onUnclear: () => {
        this.#begunAt = null;
      },
    });
  }

  kept(): Record<string, number> {
    return {
      lockedFiles: this.locks.size,
      unheardLocks: this.#heard.waitingCount,
      waitingRequests: this.#waiting.size,
    };
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
    this.#heard.end();
    await this.#service.end({}, { deadlineMs: WAIT_DEADLINE_MS }).catch((error: unknown) => {
      // The mediator ends it by itself then, a little later.
      this.#runtime.log.debug('session.end_unanswered', errorFields(error));
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
      await this.#nextBegin(leftMs, signal);
    }
    return { ...limits, deadlineMs: endMs - clock.monotonicMs() };
  }

  get #isBegun(): boolean {
    return this.#begunAt === this.#losses;
  }

  get #losses(): number {
    return this.#lost?.losses ?? 0;
  }

  /** Resolves when the session is begun, the time is over, or the signal aborts. */
  #nextBegin(limitMs: number, signal: AbortSignal | undefined): Promise<void> {
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

  /** Retries a request that was lost with the connection, once the session is begun again. */
  #retry<T>(request: (limits: CallOptions) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const limits = { deadlineMs: WAIT_DEADLINE_MS, ...(signal === undefined ? {} : { signal }) };
    if (this.#lost === undefined) return request(limits);
    return this.#lost.repeat(async ({ deadlineMs }) => {
      await this.begun({ ...limits, ...(deadlineMs === undefined ? {} : { deadlineMs }) });
      return request(limits);
    });
  }

  async #begin(): Promise<void> {
    const losses = this.#losses;
    // What was closed is not in the list of what is open.
    this.#listener.takeClosed();
    const { client } = this;
    const request = { client, open: this.#listener.open(), locks: this.locks.tellAll(), mediator: this.#mediator };
    const { known, last, lost, mediator } = await this.#service.begin(request);
    this.#mediator = mediator;
    // Before requests that wait are sent: what was written under a lost lock must not be stored.
    this.locks.lose(lost);
    if (!known) this.#heard.restart(last, this.#isFirst ? Promise.resolve() : this.#listener.missedChanges());
    this.#isFirst = false;
    this.#begunAt = losses;
    for (const wake of [...this.#waiting]) wake();
  }

  /** Rejects with a program's fault only. */
  async #listen(): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      try {
        if (!this.#isBegun) await this.#begin();
        const options = { deadlineMs: WAIT_DEADLINE_MS, signal };
        const { items, last, missed } = await this.#service.changes(
          { after: this.#heard.last, closed: this.#listener.takeClosed() },
          options,
        );
        this.#heard.hear(last, missed ? this.#listener.missedChanges() : this.#listener.outdated(items));
      } catch (error) {
        if (signal.aborted) return;
        rethrowProgramFault(error);
        this.#begunAt = null;
        this.#runtime.log.debug('session.interrupted', errorFields(error));
        await sleep(this.#runtime.clock, RETRY_MS);
      }
    }
  }
}
