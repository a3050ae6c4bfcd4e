// Virtual time: a queue of events in order of time and, at the same time, of
// scheduling. Time moves only when nothing is runnable: between two events all
// promises that can go on have gone on.
import type { Timer } from '../../../src/runtime/clock.js';
import type { Trace } from './trace.js';

interface Event {
  timeUs: number;
  sequence: number;
  action: (() => void) | null;
}

export class Scheduler {
  readonly #heap: Event[] = [];
  #nowUs = 0;
  #sequence = 0;
  #firedEvents = 0;
  #failure: unknown;

  readonly #trace: Trace;

  constructor(trace: Trace) {
    this.#trace = trace;
  }

  /** Microseconds since the start of the simulation. */
  get nowUs(): number {
    return this.#nowUs;
  }

  get firedEvents(): number {
    return this.#firedEvents;
  }

  /** Runs `action` after `delayUs` microseconds (rounded), unless it is cancelled before. */
  after(delayUs: number, action: () => void): Timer {
    const event: Event = {
      timeUs: this.#nowUs + Math.max(0, Math.round(delayUs)),
      sequence: this.#sequence++,
      action,
    };
    this.#push(event);
    return {
      cancel() {
        event.action = null;
      },
    };
  }

  /**
   * Fires events until `done` answers true or time has come to `untilUs`; resolves when all that can run has run.
   * Rejects with what an event threw.
   */
  run(untilUs: number, done: () => boolean = () => false): Promise<void> {
    return new Promise((resolve, reject) => {
      // One event in each turn of the real event loop: the promises it settles are through before the next one.
      const turn = () => {
        if (this.#failure !== undefined) {
          reject(this.#failure);
        } else if (done() || !this.#fireNext(untilUs)) {
          if (!done()) this.#nowUs = Math.max(this.#nowUs, untilUs);
          resolve();
        } else {
          setImmediate(turn);
        }
      };
      setImmediate(turn);
    });
  }

  #fireNext(untilUs: number): boolean {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.timeUs > untilUs) return false;
      this.#pop();
      if (next.action === null) continue;
      this.#nowUs = next.timeUs;
      this.#firedEvents++;
      this.#trace.mix(next.timeUs);
      this.#trace.mix(next.sequence);
      try {
        next.action();
      } catch (error) {
        this.#failure = error;
      }
      return true;
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !isBefore(event, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const left = heap[child];
      if (left === undefined) break;
      const right = heap[child + 1];
      const least = right !== undefined && isBefore(right, left) ? right : left;
      if (least === right) child++;
      if (!isBefore(least, last)) break;
      heap[at] = least;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.timeUs < other.timeUs || (one.timeUs === other.timeUs && one.sequence < other.sequence);
}
