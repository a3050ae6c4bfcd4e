// How long things took lately, in buckets that grow by a twelfth of an octave,
// so that a percentile is off by six percent at most.

const SHORTEST_MS = 0.01;
const PER_OCTAVE = 12;
/** Up to several minutes. */
const BUCKETS = 25 * PER_OCTAVE;

/** Milliseconds; null when nothing was noted. */
export interface Percentiles {
  p50: number | null;
  p99: number | null;
}

export class Durations {
  readonly #counts = new Uint32Array(BUCKETS);
  #total = 0;

  note(durationMs: number): void {
    const bucket = Math.floor(Math.log2(Math.max(SHORTEST_MS, durationMs) / SHORTEST_MS) * PER_OCTAVE);
    const at = Math.min(BUCKETS - 1, bucket);
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#total++;
  }

  /** Of what was noted since the last call. */
  take(): Percentiles {
    const percentiles = { p50: this.#at(0.5), p99: this.#at(0.99) };
    this.#counts.fill(0);
    this.#total = 0;
    return percentiles;
  }

  #at(share: number): number | null {
    if (this.#total === 0) return null;
    const wanted = Math.ceil(this.#total * share);
    let seen = 0;
    const bucket = this.#counts.findIndex((count) => {
      seen += count;
      return seen >= wanted;
    });
    return SHORTEST_MS * 2 ** ((bucket + 0.5) / PER_OCTAVE);
  }
}
