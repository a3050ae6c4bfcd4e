// What the disk has said lately to those who write: what status shows, and
// nobody decides by.
import { type DiskTrouble, diskTrouble } from '../../runtime/disk-trouble.js';
import { messageOf } from '../../runtime/error-text.js';

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
