// Where times stand in a diagram: true to scale, or in even steps, so that what follows each other within a tenth of a millisecond
// and the silence of a second after it can be seen in one picture. Units become pixels by the zoom.
import type { RecordedEvent } from './format.js';
import { endOf } from './timeline.js';

export interface Axis {
  /** Of the whole. */
  readonly units: number;
  unitOf(us: number): number;
  usOf(unit: number): number;
}

/** A unit is a microsecond. */
export class TrueAxis implements Axis {
  readonly units: number;
  readonly #startUs: number;

  constructor(startUs: number, endUs: number) {
    this.#startUs = startUs;
    this.units = endUs - startUs;
  }

  unitOf(us: number): number {
    return us - this.#startUs;
  }

  usOf(unit: number): number {
    return this.#startUs + unit;
  }
}

/** A unit is from one thing that happens to the next, be it sent or received. */
export class EvenAxis implements Axis {
  /** All moments at which something happens, each once. */
  readonly #moments: Float64Array;

  constructor(events: readonly RecordedEvent[], startUs: number, endUs: number) {
    const all = new Float64Array(events.length * 2 + 2);
    let count = 0;
    all[count++] = startUs;
    for (const event of events) {
      all[count++] = event.t;
      all[count++] = endOf(event);
    }
    all[count++] = endUs;
    all.sort();
    let kept = 1;
    for (let at = 1; at < count; at++) {
      if (all[at] !== all[kept - 1]) all[kept++] = all[at] ?? 0;
    }
    this.#moments = all.slice(0, kept);
  }

  get units(): number {
    return Math.max(1, this.#moments.length - 1);
  }

  unitOf(us: number): number {
    const moments = this.#moments;
    let low = 0;
    let high = moments.length - 1;
    if (us <= (moments[0] ?? 0)) return 0;
    if (us >= (moments[high] ?? 0)) return this.units;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((moments[middle] ?? 0) <= us) low = middle;
      else high = middle;
    }
    const from = moments[low] ?? 0;
    const to = moments[high] ?? 0;
    return low + (us - from) / (to - from);
  }

  usOf(unit: number): number {
    const at = Math.max(0, Math.min(this.units, unit));
    const low = Math.min(Math.floor(at), this.#moments.length - 1);
    const from = this.#moments[low] ?? 0;
    const to = this.#moments[low + 1] ?? from;
    return from + (to - from) * (at - low);
  }
}
