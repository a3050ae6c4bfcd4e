// How much room is left for puts. A reserve is kept for what frees space:
// tombstones, and the copies that compaction makes.
import type { Clock } from '../../runtime/clock.js';
import type { Disk } from '../../runtime/disk.js';
import { diskTrouble } from '../../runtime/disk-trouble.js';
import { SPACE_CHECK_BYTES, SPACE_CHECK_INTERVAL_MS } from '../limits.js';

export class Space {
  #freeBytes = 0;
  #writtenBytes = 0;
  #checkedMs = Number.NEGATIVE_INFINITY;

  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #directory: string;
  readonly #reserveBytes: number;

  constructor(disk: Disk, clock: Clock, directory: string, reserveBytes: number) {
    this.#disk = disk;
    this.#clock = clock;
    this.#directory = directory;
    this.#reserveBytes = reserveBytes;
  }

  /** Whether the last look says, and is fresh enough to trust, that a put of so many bytes leaves the reserve alone. */
  isSureOfRoomFor(bytes: number): boolean {
    const isStale =
      this.#writtenBytes > SPACE_CHECK_BYTES || this.#clock.monotonicMs() - this.#checkedMs > SPACE_CHECK_INTERVAL_MS;
    return !isStale && this.#fits(bytes);
  }

  /** Whether a put of so many bytes leaves the reserve alone. Asks the disk when the last look does not say so. */
  async hasRoomFor(bytes: number): Promise<boolean> {
    if (this.isSureOfRoomFor(bytes)) return true;
    const nowMs = this.#clock.monotonicMs();
    this.#freeBytes = (await this.#disk.space(this.#directory)).freeBytes;
    this.#writtenBytes = 0;
    this.#checkedMs = nowMs;
    return this.#fits(bytes);
  }

  /** Whether the last look, however old, says that so many bytes leave the reserve alone. */
  hasToSpare(bytes: number): boolean {
    return this.#fits(bytes);
  }

  wrote(bytes: number): void {
    this.#writtenBytes += bytes;
  }

  #fits(bytes: number): boolean {
    return this.#freeBytes - this.#writtenBytes - bytes > this.#reserveBytes;
  }
}

/** Whether a disk error says that there is no room. */
export function isNoRoom(error: unknown): boolean {
  return diskTrouble(error) === 'full';
}
