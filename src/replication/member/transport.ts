// How members reach each other. A message may be lost, repeated and overtaken; a core copes with that.
import type { Entry, Envelope, Mark } from '../core/core.js';
import type { MemberId } from '../core/members.js';

/** As it travels: with the entries that it names. */
export type Message = Envelope & { readonly entries?: readonly Entry[] };

export interface Transport {
  send(message: Message): void;
  /** Rejects when the other member has not taken it. */
  sendState(to: MemberId, term: number, mark: Mark, chunks: AsyncIterable<Uint8Array>): Promise<void>;
}
