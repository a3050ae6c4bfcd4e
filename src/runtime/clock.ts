// Time is passed in, so that the simulation can turn it. Nothing outside
// src/runtime/node may call Date.now, performance.now or setTimeout.

/** A pending call of `Clock.after`; `cancel` is safe to call at any time, more than once. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall-clock time in nanoseconds since 1970 (may jump). */
  nowNs(): bigint;
  /** Milliseconds, with a fraction, since an arbitrary start; never goes back. */
  monotonicMs(): number;
  /** Calls `action` once, no sooner than `delayMs` from now. */
  after(delayMs: number, action: () => void): Timer;
  /** Calls `action` once, when all that has arrived by now has been taken in, and all that was written in this turn has left. */
  afterTurn(action: () => void): void;
}

/** Resolves when what has arrived by now has been taken in, and what was written in this turn has left. */
export function endOfTurn(clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    clock.afterTurn(resolve);
  });
}

/** Resolves after `delayMs`. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}
