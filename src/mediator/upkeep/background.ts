// A background task: one run at a time, started by `wake`, and again after the
// delay that a run returns.
import { errorFields } from '../../runtime/caught-errors.js';
import type { Timer } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';

/** Delay until the next run; null: none until `wake`. */
export type NextRunMs = number | null;

/** Delay after a run that failed. */
const RETRY_MS = 1000;
/** The least delay after a run during which `wake` was called. */
const PAUSE_MS = 100;

export class Background {
  #running: Promise<void> | null = null;
  #timer: Timer | null = null;
  /** When the timer fires, on the monotonic clock. */
  #dueMs = 0;
  /** The shortest delay that `wake` has asked for during the current run. */
  #askedMs: number | null = null;
  #closed = false;

  readonly #name: string;
  readonly #run: () => Promise<NextRunMs>;
  readonly #runtime: Runtime;

  constructor(name: string, run: () => Promise<NextRunMs>, runtime: Runtime) {
    this.#name = name;
    this.#run = run;
    this.#runtime = runtime;
  }

  /** Has the task run within `delayMs`; after the current run, if there is one. */
  wake(delayMs = 0): void {
    if (this.#closed) return;
    if (this.#running !== null) {
      this.#askedMs = Math.min(delayMs, this.#askedMs ?? delayMs);
      return;
    }
    const dueMs = this.#runtime.clock.monotonicMs() + delayMs;
    if (this.#timer !== null && this.#dueMs <= dueMs) return;
    this.#timer?.cancel();
    this.#dueMs = dueMs;
    this.#timer = this.#runtime.clock.after(delayMs, () => {
      this.#timer = null;
      // Rejects with a program's fault only, which nobody handles: the process ends.
      this.#running = this.#once();
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** No further run starts; resolves when the current one has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#running;
  }

  async #once(): Promise<void> {
    let next: NextRunMs = RETRY_MS;
    try {
      // A run may call `wake`, so it must not begin before the timer's callback has set #running.
      await Promise.resolve();
      next = await this.#run();
    } catch (error) {
      rethrowProgramFault(error);
      this.#runtime.log.warn(`${this.#name}.interrupted`, errorFields(error));
    }
    this.#running = null;
    if (this.#askedMs !== null) {
      const delayMs = Math.max(this.#askedMs, PAUSE_MS);
      next = Math.min(next ?? delayMs, delayMs);
      this.#askedMs = null;
    }
    if (next !== null) this.wake(next);
  }
}
