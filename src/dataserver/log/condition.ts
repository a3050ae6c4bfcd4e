// The outcome of the last write to the disk, for status. No decision depends on
// it.
import { messageOf } from '../../runtime/caught-errors.js';
import { type DiskTrouble, diskTrouble } from '../../runtime/disk-trouble.js';

export class Condition {
  #trouble: DiskTrouble | null = null;
  #reason = '';

  get trouble(): DiskTrouble | null {
    return this.#trouble;
  }

  /** The trouble in the system's words; empty without one. */
  get reason(): string {
    return this.#reason;
  }

  failed(error: unknown): void {
    this.#trouble = diskTrouble(error);
    this.#reason = messageOf(error);
  }

  worked(): void {
    this.#trouble = null;
    this.#reason = '';
  }
}
