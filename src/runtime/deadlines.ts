// Deadlines of calls, nearly all of which are met: all that are pending share one
// timer of the clock, so that a deadline that is met costs no timer. (Node's timers
// aim at the same, but keep a list per duration, which is made and thrown away
// again whenever only a single call is under way.)
import type { Clock, Timer } from './clock.js';

/** One in a list of those that are pending; its neighbours are itself when it is in none. */
class Deadline implements Timer {
  before: Deadline = this;
  after: Deadline = this;

  constructor(
    readonly dueMs: number,
    readonly action: () => void,
  ) {}

  insertBefore(other: Deadline): void {
    this.before = other.before;
    this.after = other;
    this.before.after = this;
    other.before = this;
  }

  cancel(): void {
    this.before.after = this.after;
    this.after.before = this.before;
    this.before = this;
    this.after = this;
  }
}

export class Deadlines {
  /** Both ends of the list. */
  readonly #ends = new Deadline(Number.POSITIVE_INFINITY, () => {});
  #timer: Timer | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #closed = false;

  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** As `Clock.after`, until this is closed. */
  after(delayMs: number, action: () => void): Timer {
    const deadline = new Deadline(this.#clock.monotonicMs() + delayMs, action);
    deadline.insertBefore(this.#ends);
    if (deadline.dueMs < this.#timerDueMs && !this.#closed) this.#arm(deadline.dueMs);
    return deadline;
  }

  /** Nothing becomes due any more. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #arm(dueMs: number): void {
    this.#timer?.cancel();
    this.#timerDueMs = dueMs;
    this.#timer = this.#clock.after(dueMs - this.#clock.monotonicMs(), () => this.#fire());
  }

  /** Runs what is due; what it cancels or adds meanwhile counts. */
  #fire(): void {
    // By rounding, a clock may show a little less than what it was told to wait for.
    const nowMs = Math.max(this.#clock.monotonicMs(), this.#timerDueMs);
    this.#timerDueMs = Number.POSITIVE_INFINITY;
    const due: Deadline[] = [];
    let nextMs = Number.POSITIVE_INFINITY;
    for (let each = this.#ends.after; each !== this.#ends; each = each.after) {
      if (each.dueMs <= nowMs) due.push(each);
      else nextMs = Math.min(nextMs, each.dueMs);
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#arm(nextMs);
    const failures: unknown[] = [];
    for (const each of due) {
      if (each.after === each) continue;
      each.cancel();
      try {
        each.action();
      } catch (error) {
        // The others are due all the same.
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
