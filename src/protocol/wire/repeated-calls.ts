// Retries calls that were lost with their connection, on the next connection and
// within the deadline that every call has; likewise calls that the other side
// refuses because it has ended the caller's session, is being stopped, or does not
// lead its group. Nobody knows whether a lost call was carried out, so only
// idempotent ones may be made this way: queries, and requests with an id.
import { type Clock, sleep } from '../../runtime/clock.js';
import { ServiceError } from '../errors.js';
import type { CallOptions } from '../services/service.js';
import type { Remote } from './client.js';

/** Before a server that has just refused a call is asked once more over the same connection. */
const REFUSED_PAUSE_MS = 25;

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

  /**
   * Makes a call, and again whenever it is lost, until the deadline.
   * @param failed hears of each attempt that has failed
   */
  async repeat<T>(call: (limits: CallOptions) => Promise<T>, failed?: (error: ServiceError) => void): Promise<T> {
    const endMs = this.#clock.monotonicMs() + this.#deadlineMs;
    for (let leftMs = this.#deadlineMs; ; leftMs = endMs - this.#clock.monotonicMs()) {
      const losses = this.#losses;
      try {
        return await call({ deadlineMs: leftMs });
      } catch (error) {
        if (!(error instanceof ServiceError)) throw error;
        failed?.(error);
        // Several calls under way may hear of the same end of a session: it counts once.
        if (error.code === 'NO_SESSION' && this.#losses === losses) this.#losses++;
        const isSameConnection = this.#losses === losses;
        if (!mayRepeat(error, isSameConnection) || this.#clock.monotonicMs() >= endMs) throw error;
        if (isSameConnection) await sleep(this.#clock, Math.min(REFUSED_PAUSE_MS, endMs - this.#clock.monotonicMs()));
      }
    }
  }
}

/** @param isSameConnection the connection, or the session, is the one on which the call failed */
function mayRepeat({ code }: ServiceError, isSameConnection: boolean): boolean {
  switch (code) {
    case 'NO_SESSION':
    case 'NOT_LEADER':
    case 'CLOSING':
      return true;
    case 'UNREACHABLE':
    case 'OUTCOME_UNKNOWN':
      // On a connection that holds it comes from the server itself (its disk fails), which would answer it again.
      return !isSameConnection;
    default:
      return false;
  }
}
