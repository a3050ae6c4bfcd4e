// A background task that runs when there is something to do: one run at a
// time, woken by events, and again after a pause when a run asks for it.
import { errorFields } from '../../runtime/caught-errors.js';
import type { Timer } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';

/** How long to wait until the next run by itself; null: until woken. */
export type NextRunMs = number | null;

/** After a run that failed. */
const RETRY_MS = 1000;
/** At least, after a run that was woken meanwhile. */
const PAUSE_MS = 100;

export class Background {
  #running: Promise<void> | null = null;
  #timer: Timer | null = null;
  /** When the timer fires, on the monotonic clock. */
  #dueMs = 0;
  /** The shortest delay asked for while a run is under way. */
  #wokenForMs: number | null = null;
  #closed = false;

  readonly #name: string;
  readonly #run: () => Promise<NextRunMs>;
  readonly #runtime: Runtime;

  constructor(name: string, run: () => Promise<NextRunMs>, runtime: Runtime) {
    this.#name = name;
    this.#run = run;
    this.#runtime = runtime;
  }

  /** Runs after `delayMs` at the latest. */
  wake(delayMs = 0): void {
    if (this.#closed) return;
    if (this.#running !== null) {
      this.#wokenForMs = Math.min(delayMs, this.#wokenForMs ?? delayMs);
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
      // Not before the timer's callback has noted that a run is under way: a run may wake its own task.
      await Promise.resolve();
      next = await this.#run();
    } catch (error) {
      rethrowProgramFault(error);
      this.#runtime.log.warn(`${this.#name}.interrupted`, errorFields(error));
    }
    this.#running = null;
    if (this.#wokenForMs !== null) {
      const askedMs = Math.max(this.#wokenForMs, PAUSE_MS);
      next = Math.min(next ?? askedMs, askedMs);
      this.#wokenForMs = null;
    }
    if (next !== null) this.wake(next);
  }
}
