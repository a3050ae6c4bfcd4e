// How long a leader may answer reads without asking anybody. A quorum that has answered a round of heartbeats elects nobody else
// for the shortest election time-out. The lease counts from before the round was sent, by the monotonic clock.
import type { Clock } from '../../runtime/clock.js';

/** Two clocks may run apart by this share. */
const DRIFT = 0.1;
/** Rounds whose time is remembered. */
const MOST_ROUNDS = 64;

export class Lease {
  readonly #sentMs = new Map<number, number>();
  #confirmed = 0;
  #endsMs = Number.NEGATIVE_INFINITY;

  readonly #clock: Clock;
  readonly #lengthMs: number;

  constructor(clock: Clock, electionTimeoutMs: number) {
    this.#clock = clock;
    this.#lengthMs = electionTimeoutMs * (1 - DRIFT);
  }

  get isValid(): boolean {
    return this.#clock.monotonicMs() < this.#endsMs;
  }

  /** Before the messages of the round are sent. */
  began(round: number): void {
    if (this.#sentMs.has(round)) return;
    this.#sentMs.set(round, this.#clock.monotonicMs());
    for (const old of this.#sentMs.keys()) {
      if (old <= this.#confirmed || this.#sentMs.size > MOST_ROUNDS) this.#sentMs.delete(old);
    }
  }

  confirmed(round: number): void {
    if (round <= this.#confirmed) return;
    this.#confirmed = round;
    const sentMs = this.#sentMs.get(round);
    if (sentMs !== undefined) this.#endsMs = Math.max(this.#endsMs, sentMs + this.#lengthMs);
  }

  /** The leadership is over, or about to be handed over. */
  end(): void {
    this.#sentMs.clear();
    this.#confirmed = 0;
    this.#endsMs = Number.NEGATIVE_INFINITY;
  }
}
