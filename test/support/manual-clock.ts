// A clock that stands still until a test turns it.
import type { Clock, Timer } from '../../src/runtime/clock.js';

export class ManualClock implements Clock {
  #nowMs = 0;
  #timers: { dueMs: number; action: () => void }[] = [];

  nowNs(): bigint {
    return BigInt(Math.round(this.#nowMs * 1e6));
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, action: () => void): Timer {
    const timer = { dueMs: this.#nowMs + delayMs, action };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  afterTurn(action: () => void): void {
    queueMicrotask(action);
  }

  /** Timers that have not fired. */
  get pending(): number {
    return this.#timers.length;
  }

  /** Turns the clock; what becomes due runs in order, each with all that follows from it. */
  async advance(byMs: number): Promise<void> {
    const endMs = this.#nowMs + byMs;
    for (;;) {
      await settle();
      const next = this.#timers.toSorted((one, other) => one.dueMs - other.dueMs)[0];
      if (next === undefined || next.dueMs > endMs) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.action();
    }
    this.#nowMs = endMs;
    await settle();
  }
}

/** Lets everything run that needs no time. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
