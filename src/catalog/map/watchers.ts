// Who waits until a path has changed, or until anything has.
import type { Clock } from '../../runtime/clock.js';

interface Watcher {
  readonly isOver: () => boolean;
  readonly resolve: () => void;
}

export class Watchers {
  readonly #watchers = new Set<Watcher>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#watchers.size;
  }

  /** Resolves when `isOver`, which is asked after each change, or after so long. @returns whether it is over */
  async until(isOver: () => boolean, limitMs = Number.POSITIVE_INFINITY): Promise<boolean> {
    if (isOver()) return true;
    await new Promise<void>((resolve) => {
      const timer = Number.isFinite(limitMs) ? this.#clock.after(limitMs, () => watcher.resolve()) : undefined;
      const watcher: Watcher = {
        isOver,
        resolve: () => {
          timer?.cancel();
          this.#watchers.delete(watcher);
          resolve();
        },
      };
      this.#watchers.add(watcher);
    });
    return isOver();
  }

  /** Something has changed. */
  notify(): void {
    for (const watcher of [...this.#watchers]) if (watcher.isOver()) watcher.resolve();
  }

  /** Ends all waiting. */
  close(): void {
    for (const watcher of [...this.#watchers]) watcher.resolve();
  }
}
