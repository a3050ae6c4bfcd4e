// Carries messages and whole states to the other members, over the connections that servers have anyway. What can't be carried is
// lost: the protocols cope with that.
import { ServiceError } from '../../protocol/errors.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Log } from '../../runtime/log.js';
import type { Mark } from '../core/core.js';
import type { MemberId } from '../core/members.js';
import type { Message, Transport } from '../member/transport.js';
import type { Peer, Peers } from './peers.js';

/** Calls to one server that it has not answered: with more of them, messages to it are dropped. */
const MOST_UNANSWERED = 256;
const CHUNK_DEADLINE_MS = 30_000;
/** The state is written anew as a whole. */
const INSTALL_DEADLINE_MS = 600_000;

export class GroupLink implements Transport {
  /** Sent together at the end of this turn of the event loop. */
  readonly #waiting = new Map<Peer, Message[]>();
  readonly #unanswered = new Map<Peer, number>();

  readonly #self: MemberId;
  readonly #peers: Peers;
  readonly #log: Log;

  constructor(self: MemberId, peers: Peers, log: Log) {
    this.#self = self;
    this.#peers = peers;
    this.#log = log;
  }

  send(message: Message): void {
    const peer = this.#peers.withId(message.to);
    if (peer === undefined || (this.#unanswered.get(peer) ?? 0) >= MOST_UNANSWERED) return;
    const waiting = this.#waiting.get(peer);
    if (waiting !== undefined) {
      waiting.push(message);
      return;
    }
    this.#waiting.set(peer, [message]);
    queueMicrotask(() => this.#flush(peer));
  }

  async sendState(to: MemberId, term: number, mark: Mark, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const peer = this.#peers.withId(to);
    if (peer === undefined) throw new ServiceError('UNREACHABLE', `${to} is not connected`);
    const { state } = await peer.service.beginState({ from: this.#self, term, mark });
    let bytes = 0;
    for await (const chunk of chunks) {
      bytes += chunk.length;
      await peer.service.stateChunk({ state, bytes: chunk }, { deadlineMs: CHUNK_DEADLINE_MS });
    }
    await peer.service.endState({ state }, { deadlineMs: INSTALL_DEADLINE_MS });
    this.#log.info('replication.state_sent', { to: peer.name, index: mark.index, bytes });
  }

  #flush(peer: Peer): void {
    const messages = this.#waiting.get(peer) ?? [];
    this.#waiting.delete(peer);
    this.#unanswered.set(peer, (this.#unanswered.get(peer) ?? 0) + 1);
    peer.service
      .send({ messages })
      .catch((error: unknown) => {
        rethrowProgramFault(error);
        this.#log.debug('replication.not_sent', { to: peer.name, ...errorFields(error) });
      })
      .finally(() => this.#unanswered.set(peer, (this.#unanswered.get(peer) ?? 1) - 1));
  }
}
