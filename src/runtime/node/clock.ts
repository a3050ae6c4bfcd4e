// Node's time.
import { performance } from 'node:perf_hooks';
import { hrtime } from 'node:process';
import type { Clock, Timer } from '../clock.js';

/** setTimeout takes no more; a longer wait is made of several. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;
/** Two clocks that are read one after the other may differ by this before the wall clock counts as moved. */
const DRIFT_NS = 2_000_000n;

export class NodeClock implements Clock {
  /** What to add to the monotonic clock, which is finer, for the time since 1970. */
  #offsetNs = wallNs() - hrtime.bigint();

  nowNs(): bigint {
    const wall = wallNs();
    const fine = hrtime.bigint() + this.#offsetNs;
    if (fine - wall <= DRIFT_NS && wall - fine <= DRIFT_NS) return fine;
    this.#offsetNs += wall - fine;
    return wall;
  }

  monotonicMs(): number {
    return performance.now();
  }

  after(delayMs: number, action: () => void): Timer {
    return new NodeTimer(delayMs, action);
  }

  afterTurn(action: () => void): void {
    setImmediate(action);
  }
}

class NodeTimer implements Timer {
  readonly #action: () => void;
  readonly #dueMs: number;
  #handle: NodeJS.Timeout;

  constructor(delayMs: number, action: () => void) {
    this.#action = action;
    this.#dueMs = performance.now() + delayMs;
    this.#handle = this.#arm(delayMs);
  }

  cancel(): void {
    clearTimeout(this.#handle);
  }

  #arm(delayMs: number): NodeJS.Timeout {
    return setTimeout(
      () => {
        // Node counts from the start of the event loop's turn, so a timer may come early.
        const leftMs = this.#dueMs - performance.now();
        if (leftMs > 0) this.#handle = this.#arm(leftMs);
        else this.#action();
      },
      Math.min(Math.ceil(delayMs), LONGEST_TIMEOUT_MS),
    );
  }
}

function wallNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}
