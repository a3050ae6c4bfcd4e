// Ids that make requests idempotent, as in the sessions of NFSv4.1 (RFC 8881,
// 2.10.6). A client has slots. Each slot is for one request at a time, and its
// requests are numbered. The server's dedupe table keeps the last result of each
// slot: it answers a retry from there, and takes the slot's next number to mean
// that the client has received the last result.
import { assert } from '../../runtime/assert.js';

/**
 * The client, the slot, and the number of the request in that slot, from 1 on. An array, since it travels with every change. The
 * next slot belongs to the same request: see `secondStep`.
 */
export type RequestId = [client: string, slot: number, sequence: number];

/** A command that must not be carried out twice. */
export interface Once {
  id?: RequestId | undefined;
}

/** A client's request that must not be carried out twice. */
export interface Attempt extends Once {
  /** A retry: the request was sent before, and its answer was lost. */
  again?: true | undefined;
}

/** A client names itself by so many random bytes, in hexadecimal: no two clients of a cluster will ever draw the same. */
export const CLIENT_ID_BYTES = 8;
export const MAXIMUM_CLIENT_LENGTH = 64;

export const MAXIMUM_SLOT = 2 ** 32 - 1;
/** A request may need two commands, each with a slot of its own. */
const SLOTS_PER_REQUEST = 2;

/** The id of the second command of a request that needs two. */
export function secondStep([client, slot, sequence]: RequestId): RequestId {
  return [client, slot + 1, sequence];
}

/** Gives ids to the requests of one client. */
export class RequestIds {
  /** Slots that no request is using, the lowest last. The lowest is used first: the fewer slots, the fewer results are kept. */
  readonly #free: number[] = [];
  /** The number of the last request of each slot. */
  readonly #sequences: number[] = [];

  /** @param client random: nobody else ever has the same */
  constructor(readonly client: string) {}

  /**
   * Does the work of one request under an id of its own. When the work fails and its outcome is unknown, the server may still
   * carry it out, but not after the next request of its slot: that one's number makes the server refuse it.
   */
  async run<T>(work: (id: RequestId) => Promise<T>): Promise<T> {
    const slot = this.#free.pop() ?? this.#sequences.length;
    const sequence = (this.#sequences[slot] ?? 0) + 1;
    this.#sequences[slot] = sequence;
    try {
      return await work([this.client, slot * SLOTS_PER_REQUEST, sequence]);
    } finally {
      this.#giveBack(slot);
    }
  }

  /** Ids for requests that go one after the other, in the order in which they are taken: all in one slot, which is never given back. */
  lasting(): () => RequestId {
    const slot = this.#sequences.length;
    this.#sequences.push(0);
    let sequence = 0;
    return () => [this.client, slot * SLOTS_PER_REQUEST, ++sequence];
  }

  #giveBack(slot: number): void {
    let at = this.#free.length;
    while (at > 0 && (this.#free[at - 1] ?? slot) < slot) at--;
    assert(this.#free[at - 1] !== slot, 'a slot is free once');
    this.#free.splice(at, 0, slot);
  }
}
