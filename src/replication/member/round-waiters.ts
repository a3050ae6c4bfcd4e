// Who waits for a round of heartbeats that a quorum answers.
import type { ServiceError } from '../../protocol/errors.js';

export class RoundWaiters {
  #waiting: { round: number; resolve: () => void; reject: (error: ServiceError) => void }[] = [];

  /** Resolves when the round, or a later one, is confirmed. */
  wait(round: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ round, resolve, reject });
    });
  }

  confirmed(round: number): void {
    for (const waiter of this.#waiting) if (waiter.round <= round) waiter.resolve();
    this.#waiting = this.#waiting.filter((waiter) => waiter.round > round);
  }

  abandon(error: ServiceError): void {
    for (const { reject } of this.#waiting) reject(error);
    this.#waiting = [];
  }
}
