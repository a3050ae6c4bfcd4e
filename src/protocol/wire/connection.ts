// One connection, from either end: the handshake first, then messages. It ends
// once, with an error that says why. Whatever a peer sends, it ends no more than
// its connection.
import { Buffer } from 'node:buffer';
import { stackOf } from '../../runtime/caught-errors.js';
import type { Clock, Timer } from '../../runtime/clock.js';
import type { Socket } from '../../runtime/network.js';
import { malformed, ServiceError } from '../errors.js';
import { MAXIMUM_HANDSHAKE_FRAME_BYTES } from '../limits.js';
import type { Handshake } from './authentication.js';
import { BufferPool } from './buffer-pool.js';
import type { Message } from './codec.js';
import { FrameReader } from './frame-reader.js';

export interface ConnectionEvents {
  /** Both sides know each other: messages may be sent. */
  opened(): void;
  /**
   * @param sizeBytes of its frame
   * @param payloads the buffer that its byte arrays are views of. `release` gives it back when nobody looks at them any more; not to is safe
   */
  message(message: Message, sizeBytes: number, payloads: Buffer | undefined): void;
  /**
   * Called once, at the end. UNREACHABLE: it broke, or the other side closed it; CLOSING: this server is stopping; REFUSED:
   * the handshake failed on what it is for; MALFORMED: the other side broke the protocol; FAILED: taking a message failed here.
   */
  closed(error: ServiceError): void;
}

export interface ConnectionOptions {
  socket: Socket;
  handshake: Handshake;
  handshakeDeadlineMs: number;
  clock: Clock;
  events: ConnectionEvents;
}

export class Connection {
  readonly #socket: Socket;
  readonly #handshake: Handshake;
  readonly #events: ConnectionEvents;
  readonly #reader: FrameReader;
  readonly #handshakeTimer: Timer;
  readonly #pool = new BufferPool();
  #state: 'handshake' | 'open' | 'closed' = 'handshake';
  /** The beginning of a handshake frame. */
  #greeting: Buffer = Buffer.alloc(0);

  constructor({ socket, handshake, handshakeDeadlineMs, clock, events }: ConnectionOptions) {
    this.#socket = socket;
    this.#handshake = handshake;
    this.#events = events;
    this.#reader = new FrameReader(
      (message, sizeBytes, payloads) => events.message(message, sizeBytes, payloads),
      this.#pool,
    );
    this.#handshakeTimer = clock.after(handshakeDeadlineMs, () => {
      this.close(new ServiceError('UNREACHABLE', `no handshake within ${handshakeDeadlineMs} ms`));
    });
    socket.onClose((reason) => {
      const words = reason === undefined ? 'the connection was closed' : `the connection broke: ${reason.message}`;
      this.close(new ServiceError('UNREACHABLE', words));
    });
    socket.onData(
      (chunk) => this.#receive(chunk),
      () => this.#reader.room(),
    );
    const first = handshake.begin();
    if (first !== undefined) socket.write([first]);
  }

  get peer(): string {
    return this.#socket.peer;
  }

  /** Bytes that the network has not taken yet. */
  get queuedBytes(): number {
    return this.#socket.queuedBytes();
  }

  /**
   * Sends a frame; into the void when the connection has ended.
   * @param sent called when nobody looks at the chunks any more; never, when the connection ends before
   */
  send(chunks: readonly Uint8Array[], sent?: () => void): void {
    if (this.#state === 'open') this.#socket.write(chunks, sent);
  }

  /** Takes back the payloads of a message for those of the next. */
  release(payloads: Buffer): void {
    this.#pool.release(payloads);
  }

  /** Stops reading, so that the other side must wait. */
  pause(): void {
    if (this.#state !== 'closed') this.#socket.pause();
  }

  resume(): void {
    if (this.#state !== 'closed') this.#socket.resume();
  }

  close(error: ServiceError): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#handshakeTimer.cancel();
    this.#reader.stop();
    this.#socket.destroy();
    this.#events.closed(error);
  }

  #receive(chunk: Uint8Array): void {
    try {
      const rest = this.#state === 'handshake' ? this.#greet(chunk) : chunk;
      if (this.#state === 'open' && rest.length > 0) this.#reader.push(rest);
    } catch (error) {
      if (error instanceof ServiceError) this.close(error);
      else this.close(new ServiceError('FAILED', stackOf(error)));
    }
  }

  /** Takes the handshake's frames; returns what follows its last. */
  #greet(chunk: Uint8Array): Uint8Array {
    this.#greeting = Buffer.concat([this.#greeting, chunk]);
    while (this.#state === 'handshake' && this.#greeting.length >= 4) {
      const lengthBytes = this.#greeting.readUInt32BE(0);
      if (lengthBytes === 0 || lengthBytes > MAXIMUM_HANDSHAKE_FRAME_BYTES) {
        throw malformed(`a handshake of ${lengthBytes} bytes`);
      }
      if (this.#greeting.length < 4 + lengthBytes) break;
      const body = this.#greeting.subarray(4, 4 + lengthBytes);
      this.#greeting = this.#greeting.subarray(4 + lengthBytes);
      this.#step(body);
    }
    // A peer that sends messages before the handshake is through can't make this side keep them.
    if (this.#state === 'handshake' && this.#greeting.length > 4 + MAXIMUM_HANDSHAKE_FRAME_BYTES) {
      throw malformed('messages before the end of the handshake');
    }
    if (this.#state === 'handshake') return new Uint8Array(0);
    const rest = this.#greeting;
    this.#greeting = Buffer.alloc(0);
    return rest;
  }

  #step(body: Uint8Array): void {
    const step = this.#handshake.receive(body);
    if (step.send !== undefined) this.#socket.write([step.send]);
    switch (step.state) {
      case 'going':
        return;
      case 'open':
        this.#state = 'open';
        this.#handshakeTimer.cancel();
        this.#events.opened();
        return;
      case 'refused':
        this.close(new ServiceError('REFUSED', step.reason));
        return;
    }
  }
}
