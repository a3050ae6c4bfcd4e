// How fast compaction goes: a short stretch of work, then a rest many times as
// long, so that requests are hardly slowed. While requests come it rests several
// times in a row, fewer the more segments wait; in a hurry, hardly at all.
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

  /** A request has come. */
  noteRequest(): void {
    this.#requests++;
  }

  /** A put was refused for lack of room: from now on rests are short. */
  hurry(): void {
    this.#isRoomNeeded = true;
    this.#endRest?.();
  }

  /** All that can be freed is freed: the hurry is over. */
  calm(): void {
    this.#isRoomNeeded = false;
  }

  /** Ends the rest that is under way; there are no more. */
  close(): void {
    this.#closed = true;
    this.#endRest?.();
  }

  /** Work on a segment begins; `isUrgent` makes rests short until the next `begin`. */
  begin(isUrgent: boolean): void {
    this.#isUrgent = isUrgent;
    this.#stretchMs = this.#clock.monotonicMs();
  }

  /** Resolves when work may go on; `bytes` were copied since the last call. */
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
