// Asks servers again and again what they are, each by itself: one that hangs
// holds up no other.

import { asError, messageOf } from '../../runtime/caught-errors.js';
import type { Clock, Timer } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import { ServiceError, type ServiceErrorCode } from '../errors.js';
import type { Standing, StandingService } from '../services/standing.js';

/** A server of a group answers at once, hangs, or is far away. */
export const STATUS_DEADLINE_MS = 200;
/** For one that is far away: the deadline doubles up to here while it does not answer. */
const LONGEST_STATUS_DEADLINE_MS = 3200;
/** From an answer to the next question. */
export const SEARCH_PAUSE_MS = 30;
/** What no repetition changes. */
const REFUSALS: ReadonlySet<ServiceErrorCode> = new Set(['REFUSED', 'UNKNOWN_METHOD']);

export interface Polled {
  readonly name: string;
  readonly standing: StandingService;
}

export class StatusPolls {
  /** The last answers, by the names of servers; of those whose last question was answered. */
  readonly statuses = new Map<string, Standing>();
  /** Why the others did not answer. */
  readonly failures = new Map<string, Error>();
  /** The next question to each server. */
  readonly #timers = new Map<Polled, Timer>();
  #isStopped = false;

  readonly #clock: Clock;
  readonly #pauseMs: () => number;
  readonly #heard: () => void;

  /**
   * @param pauseMs from an answer to the next question
   * @param heard called after each answer and each failure
   */
  constructor(servers: readonly Polled[], clock: Clock, pauseMs: () => number, heard: () => void) {
    this.#clock = clock;
    this.#pauseMs = pauseMs;
    this.#heard = heard;
    for (const server of servers) void this.#ask(server);
  }

  /** One more is asked from now on. */
  add(server: Polled): void {
    if (!this.#isStopped) void this.#ask(server);
  }

  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  /** What each server has said, in words for people. */
  describe(): Record<string, string> {
    const words: Record<string, string> = {};
    for (const [name, { role, term, reason }] of this.statuses) {
      words[name] = `${role} in term ${term}${reason === '' ? '' : `: ${reason}`}`;
    }
    for (const [name, failure] of this.failures) words[name] = messageOf(failure);
    return words;
  }

  /** All of the servers refuse this side, as with a wrong secret, or are of another kind: what one of them says. */
  get refusal(): ServiceError | null {
    if (this.statuses.size > 0) return null;
    let refusal: ServiceError | null = null;
    for (const failure of this.failures.values()) {
      if (!(failure instanceof ServiceError) || !REFUSALS.has(failure.code)) return null;
      refusal = failure;
    }
    return refusal;
  }

  async #ask(server: Polled, deadlineMs = STATUS_DEADLINE_MS): Promise<void> {
    const { name } = server;
    let nextDeadlineMs = deadlineMs;
    try {
      const status = await server.standing.status({}, { deadlineMs });
      this.statuses.set(name, status);
      this.failures.delete(name);
    } catch (error) {
      rethrowProgramFault(error);
      this.statuses.delete(name);
      this.failures.set(name, asError(error));
      const wasLate = error instanceof ServiceError && error.code === 'DEADLINE';
      if (wasLate) nextDeadlineMs = Math.min(2 * deadlineMs, LONGEST_STATUS_DEADLINE_MS);
    }
    if (!this.#isStopped) this.#heard();
    if (this.#isStopped) return;
    const timer = this.#clock.after(this.#pauseMs(), () => {
      this.#timers.delete(server);
      void this.#ask(server, nextDeadlineMs);
    });
    this.#timers.set(server, timer);
  }
}
