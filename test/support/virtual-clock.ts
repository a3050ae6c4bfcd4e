// Time that passes with the turns of the event loop: after so many of them the
// next timer is due, however far away. A test over it takes no longer than its
// work, and no timer fires early because the machine is busy.
import type { Clock, Timer } from '../../src/runtime/clock.js';

/** From one timer to the next. A memory disk takes a turn for an operation, a request some of those. */
const TURNS_PER_TIMER = 64;
/** Some day in 2026. */
const START_NS = 1_780_000_000_000_000_000n;

interface Waiting {
  dueMs: number;
  action: () => void;
}

export class VirtualClock implements Clock {
  #nowMs = 0;
  /** In the order in which they are due. */
  #timers: Waiting[] = [];
  #turns = 0;
  #isTurning = false;

  nowNs(): bigint {
    return START_NS + BigInt(Math.round(this.#nowMs * 1e6));
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, action: () => void): Timer {
    const timer = { dueMs: this.#nowMs + delayMs, action };
    const at = this.#timers.findIndex(({ dueMs }) => dueMs > timer.dueMs);
    this.#timers.splice(at < 0 ? this.#timers.length : at, 0, timer);
    this.#turn();
    return {
      cancel: () => {
        const place = this.#timers.indexOf(timer);
        if (place >= 0) this.#timers.splice(place, 1);
      },
    };
  }

  afterTurn(action: () => void): void {
    setImmediate(action);
  }

  sleep(durationMs: number): Promise<void> {
    return new Promise((resolve) => void this.after(durationMs, resolve));
  }

  /** The clock of a process that stood still. */
  jump(byMs: number): void {
    this.#nowMs += byMs;
  }

  #turn(): void {
    if (this.#isTurning || this.#timers.length === 0) return;
    this.#isTurning = true;
    setImmediate(() => {
      this.#isTurning = false;
      if (++this.#turns >= TURNS_PER_TIMER) this.#fire();
      this.#turn();
    });
  }

  #fire(): void {
    this.#turns = 0;
    const next = this.#timers.shift();
    if (next === undefined) return;
    this.#nowMs = Math.max(this.#nowMs, next.dueMs);
    next.action();
  }
}
