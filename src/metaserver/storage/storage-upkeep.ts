// When a member's storage is brought up to date with its log, and when one that has failed is tried again.
import type { Clock, Timer } from '../../runtime/clock.js';

/** How long the storage may lag behind the log; and how soon what has failed is tried again. */
const INTERVAL_MS = 1000;

export interface StorageUpkeepParts {
  clock: Clock;
  /** Log and storage can be written. */
  isWell: () => boolean;
  /** The storage lacks something that was applied. */
  isBehind: () => boolean;
  /** It lacks so much that it is brought up to date at once. */
  mustCheckpoint: () => boolean;
  checkpoint: () => Promise<void>;
  /** After a failure. */
  restart: () => Promise<void>;
  failed: (error: unknown) => void;
}

export class StorageUpkeep {
  #timer: Timer | null = null;
  #isCheckpointing = false;
  #isClosed = false;

  readonly #parts: StorageUpkeepParts;

  constructor(parts: StorageUpkeepParts) {
    this.#parts = parts;
  }

  /** Entries were applied. */
  applied(): void {
    if (this.#parts.mustCheckpoint()) this.#checkpoint();
    else this.schedule();
  }

  schedule(): void {
    const { clock, isWell, isBehind } = this.#parts;
    const isIdle = isWell() && !isBehind();
    if (this.#timer !== null || this.#isClosed || this.#isCheckpointing || isIdle) return;
    this.#timer = clock.after(INTERVAL_MS, () => {
      this.#timer = null;
      if (isWell()) this.#checkpoint();
      else this.#restart();
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  #checkpoint(): void {
    if (this.#isCheckpointing || this.#isClosed) return;
    const { checkpoint, failed } = this.#parts;
    this.#isCheckpointing = true;
    checkpoint()
      .catch(failed)
      .finally(() => {
        this.#isCheckpointing = false;
        this.schedule();
      });
  }

  #restart(): void {
    const { restart, failed } = this.#parts;
    restart()
      .catch(failed)
      .finally(() => this.schedule());
  }
}
