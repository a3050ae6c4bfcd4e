// Writes that have begun and have not ended: a server that crashes on request waits for them, so that nothing changes after that.

export class WritesUnderWay {
  readonly #running = new Set<Promise<void>>();

  /** Settles as the write does. */
  async run(write: () => Promise<void>): Promise<void> {
    const running = write();
    this.#running.add(running);
    try {
      await running;
    } finally {
      this.#running.delete(running);
    }
  }

  /** Resolves when all that have begun by now have ended, however they did. */
  async ended(): Promise<void> {
    await Promise.allSettled(this.#running);
  }
}
