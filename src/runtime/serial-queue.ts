// Runs asynchronous actions one after the other, in the order in which they were handed over.

export class SerialQueue {
  /** Resolves, and never rejects, when the last action that was handed over has ended. */
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `action` when all earlier ones have ended, and settles as it does. A failure is for its caller alone: the next action runs. */
  run<T>(action: () => Promise<T>): Promise<T> {
    const done = this.#last.then(action);
    this.#last = done.catch(() => {});
    return done;
  }

  /** Resolves when all actions that were handed over so far have ended, whatever came of them. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
