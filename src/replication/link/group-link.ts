// Carries messages and whole states to the other members, over the connections that servers have anyway. What can't be carried is
// lost: the protocols cope with that.
import { malformed, ServiceError } from '../../protocol/errors.js';
import { errorFields } from '../../runtime/caught-errors.js';
import type { Clock } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Log } from '../../runtime/log.js';
import type { Mark } from '../core/core.js';
import type { MemberId } from '../core/members.js';
import type { Message, Transport } from '../member/transport.js';
import type { Peer, Peers } from './peers.js';
import { readMessage } from './read-message.js';

/** Calls to one server that it has not answered: with more of them, messages to it are dropped. */
const MOST_UNANSWERED = 256;
/** How long a call is left unanswered for messages that may go with its answer: longer than most syncs of a disk. */
const ANSWER_WITHIN_MS = 40;
const CHUNK_DEADLINE_MS = 30_000;
/** The state is written anew as a whole. */
const INSTALL_DEADLINE_MS = 600_000;

export interface GroupLinkParts {
  self: MemberId;
  peers: Peers;
  /** Gives a message that has come to the member. */
  deliver: (message: Message) => void;
  clock: Clock;
  log: Log;
}

/** Answers a call with messages. */
type Answer = (messages: Message[]) => void;

export class GroupLink implements Transport {
  /** Sent together at the end of this turn of the event loop. */
  readonly #waiting = new Map<MemberId, Message[]>();
  readonly #unanswered = new Map<Peer, number>();
  /** Calls of others that are not answered yet: what is sent to them next goes there. */
  readonly #calls = new Map<MemberId, Answer[]>();

  readonly #parts: GroupLinkParts;

  constructor(parts: GroupLinkParts) {
    this.#parts = parts;
  }

  send(message: Message): void {
    const waiting = this.#waiting.get(message.to);
    if (waiting !== undefined) {
      waiting.push(message);
      return;
    }
    this.#waiting.set(message.to, [message]);
    queueMicrotask(() => this.#flush(message.to));
  }

  /** Takes what another member has sent. Resolves to what is sent to it next, which is nothing after a while. */
  received(from: MemberId, messages: unknown): Promise<Message[]> {
    const answers = this.#nextMessagesTo(from);
    this.#deliver(messages);
    return answers;
  }

  #nextMessagesTo(from: MemberId): Promise<Message[]> {
    return new Promise((resolve) => {
      const calls = this.#calls.get(from) ?? [];
      this.#calls.set(from, calls);
      const timer = this.#parts.clock.after(ANSWER_WITHIN_MS, () => {
        calls.splice(calls.indexOf(answer), 1);
        resolve([]);
      });
      const answer: Answer = (answers) => {
        timer.cancel();
        resolve(answers);
      };
      calls.push(answer);
    });
  }

  async sendState(to: MemberId, term: number, mark: Mark, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const peer = this.#parts.peers.withId(to);
    if (peer === undefined) throw new ServiceError('UNREACHABLE', `${to} is not connected`);
    const { state } = await peer.service.beginState({ from: this.#parts.self, term, mark });
    let bytes = 0;
    for await (const chunk of chunks) {
      bytes += chunk.length;
      await peer.service.stateChunk({ state, bytes: chunk }, { deadlineMs: CHUNK_DEADLINE_MS });
    }
    await peer.service.endState({ state }, { deadlineMs: INSTALL_DEADLINE_MS });
    this.#parts.log.info('replication.state_sent', { to: peer.name, index: mark.index, bytes });
  }

  #flush(to: MemberId): void {
    const messages = this.#waiting.get(to) ?? [];
    this.#waiting.delete(to);
    const answer = this.#calls.get(to)?.shift();
    if (answer === undefined) this.#call(to, messages);
    else answer(messages);
  }

  #call(to: MemberId, messages: Message[]): void {
    const { self, peers, log } = this.#parts;
    const peer = peers.withId(to);
    const unanswered = peer === undefined ? 0 : (this.#unanswered.get(peer) ?? 0);
    if (peer === undefined || unanswered >= MOST_UNANSWERED) return;
    this.#unanswered.set(peer, unanswered + 1);
    peer.service
      .send({ from: self, messages })
      .then(({ messages: answers }) => this.#deliver(answers))
      .catch((error: unknown) => {
        rethrowProgramFault(error);
        log.debug('replication.not_sent', { to: peer.name, ...errorFields(error) });
      })
      .finally(() => this.#unanswered.set(peer, (this.#unanswered.get(peer) ?? 1) - 1));
  }

  /** In a turn of its own: a fault of the program that a message brings to light is no answer to whoever sent it. */
  #deliver(given: unknown): void {
    if (!Array.isArray(given)) throw malformed('messages are no list');
    const messages = given.map(readMessage);
    queueMicrotask(() => {
      for (const message of messages) {
        // The member that this server was before it lost its disk gets none.
        if (message.to === this.#parts.self) this.#parts.deliver(message);
      }
    });
  }
}
