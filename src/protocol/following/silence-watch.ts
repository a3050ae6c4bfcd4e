// Notices that a server has said nothing for some time although calls to it are
// under way.
import type { Clock, Timer } from '../../runtime/clock.js';

export interface SilenceWatchParts {
  clock: Clock;
  limitMs: number;
  /** Whether a reply is waited for. */
  isWaiting(): boolean;
  /** Called once the limit has passed without a sign of life; again only after another one. */
  silent(): void;
}

export class SilenceWatch {
  #lastSignMs = 0;
  #timer: Timer | null = null;

  readonly #parts: SilenceWatchParts;

  constructor(parts: SilenceWatchParts) {
    this.#parts = parts;
  }

  /** The server has replied, or gets a call while none is under way. */
  sign(): void {
    this.#lastSignMs = this.#parts.clock.monotonicMs();
    if (this.#timer === null) this.#look(this.#parts.limitMs);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #look(afterMs: number): void {
    const { clock, limitMs, isWaiting, silent } = this.#parts;
    this.#timer = clock.after(afterMs, () => {
      this.#timer = null;
      if (!isWaiting()) return;
      const leftMs = this.#lastSignMs + limitMs - clock.monotonicMs();
      if (leftMs > 0) this.#look(leftMs);
      else silent();
    });
  }
}
