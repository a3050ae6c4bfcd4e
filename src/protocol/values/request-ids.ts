// Numbers for requests that must not be carried out twice, as in the sessions
// of NFSv4.1 (RFC 8881, 2.10.6): a client has slots, each for one request at a
// time, and counts the requests of each slot. Whoever carries them out keeps
// the last result per slot: what is asked again is answered from there, and a
// next number in the slot says that the last result was received.

/**
 * Who asks, in which of its slots, and the how-manieth request there. An array, since it travels with every change. The slot
 * behind it is its second step's, see `secondStep`.
 */
export type RequestId = [client: string, slot: number, sequence: number];

/** Of a command that must not be carried out twice. */
export interface Once {
  id?: RequestId | undefined;
}

/** A client's name is so many random bytes, in hexadecimal: no two clients of a cluster will ever draw the same. */
export const CLIENT_ID_BYTES = 8;
export const MAXIMUM_CLIENT_LENGTH = 64;
/** Of a client's request that must not be carried out twice. */
export interface Attempt extends Once {
  /** It was asked before, and the answer was lost. */
  again?: true | undefined;
}

export const MAXIMUM_SLOT = 2 ** 32 - 1;
/** Slots that a request has: one for each command that it may take. */
const SLOTS_PER_REQUEST = 2;

/** The id of the second command of a request that takes two. */
export function secondStep([client, slot, sequence]: RequestId): RequestId {
  return [client, slot + 1, sequence];
}

/** Gives numbers to the requests of one client. */
export class RequestIds {
  /** Slots that no request is using, the lowest last: the fewer are used, the fewer results are kept. */
  readonly #free: number[] = [];
  /** Requests so far, by slot. */
  readonly #sequences: number[] = [];

  /** @param client random, and of nobody else ever */
  constructor(readonly client: string) {}

  /** Does the work of one request, with its number. When it fails with its outcome unknown, it can't happen later than the next in its slot. */
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

  #giveBack(slot: number): void {
    let at = this.#free.length;
    while (at > 0 && (this.#free[at - 1] ?? slot) < slot) at--;
    this.#free.splice(at, 0, slot);
  }
}
