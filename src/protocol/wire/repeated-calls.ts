// Retries calls that were lost with their connection, on the next connection and
// within the deadline that every call has; likewise calls that the other side
// refuses because it has ended the caller's session. Nobody knows whether a lost
// call was carried out, so only idempotent ones may be made this way: queries, and
// requests with an id.
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

  /** How often the session must have been begun anew: the connection was lost, or the other side had ended the session. */
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
        // Several calls under way may hear of the same end of a session: it counts once.
        if (error.code === 'NO_SESSION' && this.#losses === losses) this.#losses++;
        // UNREACHABLE on a connection that holds comes from the server itself (its disk fails), which would answer it again.
        const isLost = error.code === 'NO_SESSION' || (error.code === 'UNREACHABLE' && this.#losses !== losses);
        if (!isLost || !mayRepeat() || this.#clock.monotonicMs() >= endMs) throw error;
      }
    }
  }
}
