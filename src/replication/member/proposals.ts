// What has been proposed here and is not applied yet.
import { ServiceError } from '../../protocol/errors.js';
import type { Entry } from '../core/core.js';

interface Waiting {
  readonly term: number;
  readonly resolve: () => void;
  readonly reject: (error: ServiceError) => void;
}

export class Proposals {
  /** By index, ascending. */
  readonly #waiting = new Map<number, Waiting>();

  /** Resolves when the entry is applied here. */
  wait(index: number, term: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(index, { term, resolve, reject });
    });
  }

  applied({ index, term }: Entry): void {
    const waiting = this.#waiting.get(index);
    if (waiting === undefined) return;
    this.#waiting.delete(index);
    if (waiting.term === term) waiting.resolve();
    else waiting.reject(outcomeUnknown('another leader has put something else there'));
  }

  /** A later leader may commit them, or not. */
  abandon(why: string): void {
    const abandoned = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of abandoned) reject(outcomeUnknown(why));
  }
}

function outcomeUnknown(why: string): ServiceError {
  return new ServiceError('OUTCOME_UNKNOWN', `it is not known whether the change was made: ${why}`);
}
