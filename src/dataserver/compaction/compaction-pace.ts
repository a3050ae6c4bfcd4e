// How fast compaction goes: a short stretch of work, then a rest many times as
// long, so that requests hardly notice it. While there are requests it rests
// longer still, the longer the less waits to be compacted; when room is needed,
// or much waits, hardly at all.
import type { Clock } from '../../runtime/clock.js';
import {
  COMPACTION_BACKLOG_SEGMENTS,
  COMPACTION_BUSY_RESTS,
  COMPACTION_LONGEST_REST_MS,
  COMPACTION_REST_FACTOR,
  COMPACTION_REST_MS,
  COMPACTION_STRETCH_BYTES,
  COMPACTION_STRETCH_MS,
} from '../limits.js';

export class CompactionPace {
  #requests = 0;
  #isRoomNeeded = false;
  #isUrgent = false;
  #closed = false;
  #copiedBytes = 0;
  #stretchMs = 0;
  #endRest: (() => void) | undefined;

  readonly #clock: Clock;
  readonly #waitingSegments: () => number;

  /** @param waitingSegments how many wait to be compacted, beside the one that is being compacted */
  constructor(clock: Clock, waitingSegments: () => number) {
    this.#clock = clock;
    this.#waitingSegments = waitingSegments;
  }

  /** Somebody wants something of this store. */
  noteRequest(): void {
    this.#requests++;
  }

  /** A put was refused for lack of room: what can be had is needed now. */
  hurry(): void {
    this.#isRoomNeeded = true;
    this.#endRest?.();
  }

  /** All that could be had has been had. */
  calm(): void {
    this.#isRoomNeeded = false;
  }

  /** Nobody rests any more. */
  close(): void {
    this.#closed = true;
    this.#endRest?.();
  }

  /** Work begins, until its end in a hurry when it `isUrgent`. */
  begin(isUrgent: boolean): void {
    this.#isUrgent = isUrgent;
    this.#stretchMs = this.#clock.monotonicMs();
  }

  /** Resolves when work may go on; `bytes` were copied since it was asked last. */
  async restIfDue(bytes: number): Promise<void> {
    this.#copiedBytes += bytes;
    const workedMs = this.#clock.monotonicMs() - this.#stretchMs;
    if (this.#copiedBytes < COMPACTION_STRETCH_BYTES && workedMs < COMPACTION_STRETCH_MS) return;
    const longMs = Math.min(COMPACTION_LONGEST_REST_MS, workedMs * COMPACTION_REST_FACTOR);
    const restMs = Math.max(COMPACTION_REST_MS, longMs);
    let wereRequests = true;
    for (let left = COMPACTION_BUSY_RESTS; left > 0 && wereRequests && !this.#hurries; ) {
      const before = this.#requests;
      await this.#rest(restMs);
      wereRequests = this.#requests > before;
      left -= 1 + this.#waitingSegments();
    }
    if (this.#hurries) await this.#rest(COMPACTION_REST_MS);
    this.#copiedBytes = 0;
    this.#stretchMs = this.#clock.monotonicMs();
  }

  get #hurries(): boolean {
    return this.#isRoomNeeded || this.#isUrgent || this.#waitingSegments() > COMPACTION_BACKLOG_SEGMENTS;
  }

  #rest(restMs: number): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#clock.after(restMs, () => this.#endRest?.());
      this.#endRest = () => {
        timer.cancel();
        this.#endRest = undefined;
        resolve();
      };
    });
  }
}
