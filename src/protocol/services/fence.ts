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

  /** @throws ServiceError FENCED for a connection of an epoch before the `newest`. One that has said none is no mediator's. */
  check(peer: object | undefined, newest: number): void {
    const epoch = this.epochOf(peer);
    if (epoch === undefined || epoch >= newest) return;
    this.#log.warn('mediator.fenced', { epoch, newest });
    throw new ServiceError('FENCED', `the mediator of epoch ${epoch} was replaced: ${newest} is the newest`);
  }
}
