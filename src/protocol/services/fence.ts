// Keeps a mediator that was replaced from a server. Each connection says the epoch
// of its mediator; from the moment that a newer one is known, calls of older ones
// are refused before they have any effect.
import type { Log } from '../../runtime/log.js';
import { ServiceError } from '../errors.js';

export class Fence {
  readonly #epochs = new WeakMap<object, number>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  introduce(peer: object, epoch: number): void {
    this.#epochs.set(peer, epoch);
  }

  /** The epoch that the connection has said. */
  epochOf(peer: object | undefined): number | undefined {
    return peer === undefined ? undefined : this.#epochs.get(peer);
  }

  /**
   * @param peer undefined for a call from this process, which is never refused
   * @param newest 0 as long as no mediator has had an epoch
   * @throws ServiceError FENCED for a connection of an epoch before the `newest`, or of none
   */
  check(peer: object | undefined, newest: number): void {
    const epoch = this.epochOf(peer) ?? 0;
    if (peer === undefined || epoch >= newest) return;
    this.#log.warn('mediator.fenced', { epoch, newest });
    if (epoch === 0)
      throw new ServiceError('FENCED', `calls of a mediator without an epoch are refused: ${newest} is the newest`);
    throw new ServiceError('FENCED', `the mediator of epoch ${epoch} was replaced: ${newest} is the newest`);
  }
}
