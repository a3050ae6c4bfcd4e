// How many bytes all files together may keep unsent or on their way. Writers of
// more wait until the mediator has stored some; they can be interrupted.
import { FileError } from '../../protocol/errors.js';
import { assert } from '../../runtime/assert.js';

export class MemoryBudget {
  #used = 0;
  readonly #waiting = new Set<() => void>();

  readonly #maximumBytes: number;
  readonly #relieve: () => void;

  /** `relieve` is called when a writer has to wait: it must start sending what is dirty. */
  constructor(maximumBytes: number, relieve: () => void) {
    this.#maximumBytes = maximumBytes;
    this.#relieve = relieve;
  }

  get usedBytes(): number {
    return this.#used;
  }

  add(bytes: number): void {
    this.#used += bytes;
  }

  remove(bytes: number): void {
    this.#used -= bytes;
    assert(this.#used >= 0, 'more bytes have left the write-back buffers than came in');
    for (const wake of [...this.#waiting]) wake();
  }

  /**
   * Resolves when there is room for `bytes` more; for a write that comes alone there always is. EINTR when `signal` aborts.
   * `signal` is called only when the writer has to wait.
   */
  async room(bytes: number, signal: () => AbortSignal): Promise<void> {
    while (this.#used > 0 && this.#used + bytes > this.#maximumBytes) {
      if (signal().aborted) throw new FileError('EINTR', 'interrupted while waiting for room in the write-back buffer');
      this.#relieve();
      await this.#change(signal());
    }
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake);
    });
  }
}
