// The messages of one simulated connection: when each was sent, when its last byte arrived, or that it never did.
import type { Buffer } from 'node:buffer';
import type { Message } from '../../../src/protocol/wire/codec.js';
import { FrameReader } from '../../../src/protocol/wire/frame-reader.js';
import { brief } from '../../../src/recording/brief.js';
import { type CoreMessage, coreMessages, kindsOf } from '../../../src/recording/core-messages.js';
import type { MessageEvent } from '../../../src/recording/format.js';

export interface ConnectionWatch {
  nowUs(): number;
  add(event: MessageEvent): void;
  /** Messages of cores, when they are sent. */
  sent(from: string, messages: readonly CoreMessage[]): void;
  over(connection: RecordedConnection): void;
}

const LENGTH_BYTES = 4;
const MOST_CHARACTERS = 360;

/** On its way; `endsAt` counts all bytes of this direction up to its last. */
interface OnItsWay {
  event: MessageEvent;
  endsAt: number;
}

export class RecordedConnection {
  readonly toServer: RecordedStream;
  readonly toClient: RecordedStream;
  #openStreams = 2;

  constructor(client: string, server: string, watch: ConnectionWatch) {
    const ended = () => {
      this.#openStreams--;
      if (this.#openStreams === 0) watch.over(this);
    };
    const calls = new Map<number, string>();
    this.toServer = new RecordedStream(client, server, calls, watch, ended);
    this.toClient = new RecordedStream(server, client, calls, watch, ended);
  }

  leaveOpen(): void {
    this.toServer.leaveOpen();
    this.toClient.leaveOpen();
  }
}

/** One direction. */
export class RecordedStream {
  readonly #onTheirWay: OnItsWay[] = [];
  #sentBytes = 0;
  #arrivedBytes = 0;
  #isOver = false;
  #decoded: Message | null = null;
  readonly #reader = new FrameReader((message) => {
    this.#decoded = message;
  });

  readonly #from: string;
  readonly #to: string;
  /** What was asked under a number and is not answered yet. */
  readonly #calls: Map<number, string>;
  readonly #watch: ConnectionWatch;
  readonly #ended: () => void;

  constructor(from: string, to: string, calls: Map<number, string>, watch: ConnectionWatch, ended: () => void) {
    this.#from = from;
    this.#to = to;
    this.#calls = calls;
    this.#watch = watch;
    this.#ended = ended;
  }

  /** @param bytes one frame or more, whole */
  sent(bytes: Buffer): void {
    if (this.#isOver) return;
    for (let at = 0; at + LENGTH_BYTES < bytes.length; ) {
      const end = at + LENGTH_BYTES + bytes.readUInt32BE(at);
      // A greeting has its kind where a message has the first byte of its header's length, which is 0.
      const message = bytes[at + LENGTH_BYTES] === 0 ? this.#decode(bytes.subarray(at, end)) : null;
      this.#sentBytes += end - at;
      if (message !== null) {
        const event: MessageEvent = {
          t: this.#watch.nowUs(),
          kind: 'message',
          from: this.#from,
          to: this.#to,
          ...message,
        };
        this.#onTheirWay.push({ event, endsAt: this.#sentBytes });
      }
      at = end;
    }
  }

  arrived(bytes: number): void {
    this.#arrivedBytes += bytes;
    for (;;) {
      const [first] = this.#onTheirWay;
      if (first === undefined || first.endsAt > this.#arrivedBytes) return;
      this.#onTheirWay.shift();
      this.#watch.add({ ...first.event, arrived: this.#watch.nowUs() });
    }
  }

  /** Of what has not arrived, all but the first bytes are lost. */
  cutAfter(bytes: number): void {
    const endsAt = this.#arrivedBytes + bytes;
    const kept = this.#onTheirWay.findIndex((each) => each.endsAt > endsAt);
    if (kept >= 0) this.#lose(this.#onTheirWay.splice(kept));
  }

  /** Nothing arrives any more. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#lose(this.#onTheirWay.splice(0));
    this.#ended();
  }

  leaveOpen(): void {
    for (const { event } of this.#onTheirWay.splice(0)) this.#watch.add(event);
  }

  #lose(messages: readonly OnItsWay[]): void {
    for (const { event } of messages) this.#watch.add({ ...event, arrived: null });
  }

  #decode(frame: Buffer): Pick<MessageEvent, 'name' | 'isReply' | 'isFailure' | 'content'> | null {
    this.#decoded = null;
    this.#reader.push(frame);
    // `push` has set it meanwhile.
    const message = this.#decoded as Message | null;
    if (message === null) return null;
    const calls = this.#calls;
    switch (message.kind) {
      case 'request': {
        calls.set(message.id, message.method);
        const inner = coreMessages(message.body);
        this.#watch.sent(this.#from, inner);
        return { name: kindsOf(inner) ?? message.method, ...contentOf(inner, message.body) };
      }
      case 'cancel':
        return { name: 'cancel', content: calls.get(message.id) ?? '' };
      case 'reply': {
        const method = calls.get(message.id) ?? 'answer';
        calls.delete(message.id);
        const inner = coreMessages(message.body);
        this.#watch.sent(this.#from, inner);
        const name = kindsOf(inner);
        // Members of a group answer a call with their own next messages.
        if (name !== undefined) return { name, ...contentOf(inner, message.body) };
        return { name: method, isReply: true, ...contentOf(inner, message.body) };
      }
      case 'failure': {
        const method = calls.get(message.id) ?? 'answer';
        calls.delete(message.id);
        return {
          name: method,
          isReply: true,
          isFailure: true,
          content: `${message.error.code}: ${message.error.message}`,
        };
      }
    }
  }
}

/** Nothing, where a message carries nothing. */
function contentOf(inner: readonly CoreMessage[], body: object): { content?: string } {
  const text = inner.length === 0 ? brief(body) : inner.map((message) => brief(message)).join('; ');
  if (text === '{}' || text === '{messages []}') return {};
  return { content: text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text };
}
