// The last ten minutes in samples, so that whoever opens the page sees what led
// to what is.
import type { Sample } from '../../protocol/page/messages.js';
import type { Clock, Timer } from '../../runtime/clock.js';
import type { Counters } from '../counters.js';

export const PERIOD_MS = 2000;
const SAMPLES = 300;
const RATES = ['reads', 'writes', 'votes', 'dissents', 'repairs', 'readBytes', 'writeBytes'] as const;

export class SampleHistory {
  readonly #samples: Sample[] = [];
  #timer: Timer | null = null;
  #lastMs: number;
  #last: Record<string, number>;

  readonly #counters: Counters;
  readonly #clock: Clock;

  constructor(counters: Counters, clock: Clock) {
    this.#counters = counters;
    this.#clock = clock;
    this.#lastMs = clock.monotonicMs();
    this.#last = counters.snapshot();
  }

  /** Oldest first. */
  get samples(): readonly Sample[] {
    return this.#samples;
  }

  start(): void {
    this.#timer ??= this.#clock.after(PERIOD_MS, () => {
      this.#timer = null;
      this.#take();
      this.start();
    });
  }

  close(): void {
    this.#timer?.cancel();
  }

  #take(): void {
    const nowMs = this.#clock.monotonicMs();
    const counts = this.#counters.snapshot();
    const seconds = (nowMs - this.#lastMs) / 1000;
    const rate = (name: (typeof RATES)[number]) => ((counts[name] ?? 0) - (this.#last[name] ?? 0)) / seconds;
    const read = this.#counters.readDurations.take();
    const write = this.#counters.writeDurations.take();
    this.#samples.push({
      timeMs: Number(this.#clock.nowNs() / 1_000_000n),
      reads: rate('reads'),
      writes: rate('writes'),
      votes: rate('votes'),
      dissents: rate('dissents'),
      repairs: rate('repairs'),
      readBytes: rate('readBytes'),
      writeBytes: rate('writeBytes'),
      ...{ readP50: read.p50, readP99: read.p99, writeP50: write.p50, writeP99: write.p99 },
    });
    if (this.#samples.length > SAMPLES) this.#samples.shift();
    this.#lastMs = nowMs;
    this.#last = counts;
  }
}
