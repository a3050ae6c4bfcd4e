// Which changes of other mounts this one has heard of, by their numbers, and
// when it and its kernel have forgotten what they knew of them.
import { ServiceError } from '../../protocol/errors.js';

export class HeardChanges {
  #last = 0;
  /** Resolves when everything that was heard of until now is forgotten. */
  #forgotten: Promise<void> = Promise.resolve();
  /** Waits for a change that was not heard of yet, each by its number. */
  #waiting: { number: number; heard: () => void }[] = [];

  /** The number of the last change that was heard of. */
  get last(): number {
    return this.#last;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** All changes up to number `last` were heard of; `forgotten` resolves when they are forgotten. */
  hear(last: number, forgotten: Promise<void>): void {
    this.#last = last;
    const earlier = this.#forgotten;
    this.#forgotten = earlier.then(() => forgotten);
    for (const { heard } of this.#waiting.filter(({ number }) => number <= last)) heard();
    this.#waiting = this.#waiting.filter(({ number }) => number > last);
  }

  /** Another mediator counts anew and is at `last`: nobody waits for a number of the one before. */
  restart(last: number, forgotten: Promise<void>): void {
    for (const one of this.#waiting) one.number = last;
    this.hear(last, forgotten);
  }

  /** Nothing more will be heard of. */
  end(): void {
    for (const { heard } of this.#waiting) heard();
  }

  /** Resolves when all changes up to that number are forgotten. CANCELLED when `signal` aborts. */
  async forgottenUpTo(number: number, signal: AbortSignal): Promise<void> {
    let cancel = (): void => {};
    const cancelled = new Promise<never>((_resolve, reject) => {
      cancel = () => reject(new ServiceError('CANCELLED', 'given up'));
    });
    signal.addEventListener('abort', cancel);
    if (signal.aborted) cancel();
    try {
      if (number > this.#last) {
        const heard = new Promise<void>((resolve) => void this.#waiting.push({ number, heard: resolve }));
        await Promise.race([heard, cancelled]);
      }
      await Promise.race([this.#forgotten, cancelled]);
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }
}
