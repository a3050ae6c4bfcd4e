// How old what a member has may be: the time since it had applied all that the leader, as it last said, had committed.
import type { Clock } from '../../runtime/clock.js';

export class Freshness {
  /** When the leader was heard of last. */
  #heardMs: number;
  /** When what it had committed by then was applied. */
  #currentMs: number;

  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#heardMs = clock.monotonicMs();
    this.#currentMs = this.#heardMs;
  }

  /** The leader was heard of, or is this member. */
  heard(): void {
    this.#heardMs = this.#clock.monotonicMs();
  }

  /** All that the leader is known to have committed is applied. */
  isCurrent(): void {
    this.#currentMs = this.#heardMs;
  }

  /** Milliseconds. A member that keeps up is behind by less than the time between two heartbeats. */
  get behindMs(): number {
    return this.#clock.monotonicMs() - this.#currentMs;
  }
}
