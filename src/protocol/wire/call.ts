// One call, from its start to its only outcome: a result, an error, its deadline,
// or its caller giving up, whichever is first. On the way of every request, hence
// the arguments of the constructor stand in a row.
import type { Timer } from '../../runtime/clock.js';
import type { Deadlines } from '../../runtime/deadlines.js';
import { ServiceError } from '../errors.js';

export interface CallEvents {
  /** The deadline has passed, or the caller has given up; the call has failed already. */
  abandoned(call: Call, reason: 'deadline' | 'cancelled'): void;
}

export class Call {
  /** Its number on the connection that it was sent on. */
  id: number | undefined;
  /** Messages that had been received when it was sent. */
  receivedBefore = 0;
  readonly deadlineMs: number;
  #settled = false;
  #timer: Timer | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: (() => void) | undefined;
  #resolve: (result: object) => void = () => {};
  #reject: (error: Error) => void = () => {};
  readonly result: Promise<object>;
  #body: object;

  constructor(
    readonly method: string,
    body: object,
    { deadlineMs, signal }: { deadlineMs: number; signal: AbortSignal | undefined },
    server: string,
    deadlines: Deadlines,
    events: CallEvents,
  ) {
    this.#body = body;
    this.deadlineMs = deadlineMs;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (Number.isFinite(deadlineMs)) {
      this.#timer = deadlines.after(deadlineMs, () => {
        this.fail(new ServiceError('DEADLINE', `${server} did not answer ${method} within ${deadlineMs} ms`));
        events.abandoned(this, 'deadline');
      });
    }
    if (signal !== undefined) {
      this.#signal = signal;
      this.#onAbort = () => {
        this.fail(new ServiceError('CANCELLED', `${method} to ${server} was cancelled`));
        events.abandoned(this, 'cancelled');
      };
      signal.addEventListener('abort', this.#onAbort, { once: true });
    }
  }

  /** Gives the request's body away, once: a call that waits for a hung server must not keep its blocks in memory. */
  takeBody(): object {
    const body = this.#body;
    this.#body = {};
    return body;
  }

  succeed(result: object): void {
    if (this.#settle()) this.#resolve(result);
  }

  fail(error: Error): void {
    if (this.#settle()) this.#reject(error);
  }

  /** Whether this is the first outcome; nothing is left behind that could bring another. */
  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#timer?.cancel();
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener('abort', this.#onAbort);
    return true;
  }
}
