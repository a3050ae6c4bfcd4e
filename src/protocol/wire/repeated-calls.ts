// Calls that were lost with their connection: nobody knows whether they were
// carried out. Makes them again, on the next connection, within the deadline
// that every call has. Likewise those that the other side refuses because it has
// ended the caller's session. What may be called so is the caller's to know: queries,
// and requests that the other side recognises.
import type { Clock } from '../../runtime/clock.js';
import { ServiceError } from '../errors.js';
import type { CallOptions } from '../services/service.js';
import type { Remote } from './client.js';

export class RepeatedCalls {
  #losses = 0;

  readonly #deadlineMs: number;
  readonly #clock: Clock;

  constructor(remote: Pick<Remote, 'onStateChange'>, deadlineMs: number, clock: Clock) {
    this.#deadlineMs = deadlineMs;
    this.#clock = clock;
    remote.onStateChange((state) => {
      if (state === 'down') this.#losses++;
    });
  }

  /** How often the connection was lost, or the other side was found to have ended the session: it must be begun anew. */
  get losses(): number {
    return this.#losses;
  }

  /** Makes a call, and again whenever it is lost and `mayRepeat` says so, until the deadline. */
  async repeat<T>(call: (limits: CallOptions) => Promise<T>, mayRepeat: () => boolean = () => true): Promise<T> {
    const endMs = this.#clock.monotonicMs() + this.#deadlineMs;
    for (let leftMs = this.#deadlineMs; ; leftMs = endMs - this.#clock.monotonicMs()) {
      const losses = this.#losses;
      try {
        return await call({ deadlineMs: leftMs });
      } catch (error) {
        if (!(error instanceof ServiceError)) throw error;
        // Of the calls that were under way, the first that says so counts.
        if (error.code === 'NO_SESSION' && this.#losses === losses) this.#losses++;
        // A server that itself answers UNREACHABLE (its disk fails) would answer it again.
        const isLost = error.code === 'NO_SESSION' || (error.code === 'UNREACHABLE' && this.#losses !== losses);
        if (!isLost || !mayRepeat() || this.#clock.monotonicMs() >= endMs) throw error;
      }
    }
  }
}
