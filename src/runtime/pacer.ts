// Whether a disk operation blocks the event loop or goes to the thread pool.
// Measured here: a pread of 128 KiB from the page cache takes 15 µs on this
// thread and 55 µs by the pool, of 4 KiB 6 and 33; uncached from a virtual disk
// 215 and 230, or 150 each with eight in flight. Writing, the pool halves the
// throughput. Syncs of small records on five servers with the pool: 380 fsyncs
// a second through the mount, without 450, since no thread has to be woken. So:
// blocking while the disk has been quick, the pool when it has not, so that a
// slow disk never stops the server from answering others.
import type { Clock } from './clock.js';

/** An operation is slow when it takes longer than this, plus the share of its bytes. */
const BUDGET_MS = 1;
const BUDGET_MS_PER_MIB = 4;
/** The weight of each new measurement in the mean: one operation that took 50 times its budget sends the next dozens to the pool. */
const WEIGHT = 0.1;
/** An outlier counts as this much at most, or a single hiccup would be remembered for hundreds of operations. */
const MAXIMUM_SHARE = 50;

export class Pacer {
  /** Mean share of the budget that recent operations took. */
  #share = 0;

  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether the disk has been quick. */
  get isQuick(): boolean {
    return this.#share < 1;
  }

  /** Runs one of the two forms of an operation over `bytes`. */
  async run<T>(bytes: number, blocking: () => T, pooled: () => Promise<T>): Promise<T> {
    return this.isQuick ? this.runNow(bytes, blocking) : this.runPooled(bytes, pooled);
  }

  /** Runs the pooled form, for whoever has asked. */
  async runPooled<T>(bytes: number, pooled: () => Promise<T>): Promise<T> {
    const startMs = this.#clock.monotonicMs();
    try {
      return await pooled();
    } finally {
      this.#note(bytes, startMs);
    }
  }

  /** Runs the blocking form, for whoever has asked whether the disk is quick. */
  runNow<T>(bytes: number, blocking: () => T): T {
    const startMs = this.#clock.monotonicMs();
    try {
      return blocking();
    } finally {
      this.#note(bytes, startMs);
    }
  }

  #note(bytes: number, startMs: number): void {
    const budgetMs = BUDGET_MS + (bytes / 2 ** 20) * BUDGET_MS_PER_MIB;
    const share = Math.min(MAXIMUM_SHARE, (this.#clock.monotonicMs() - startMs) / budgetMs);
    this.#share += (share - this.#share) * WEIGHT;
  }
}
