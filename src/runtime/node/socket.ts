// A Node socket as the runtime's. Chunks written within one turn of the event
// loop leave in one system call.
import { Buffer } from 'node:buffer';
import type { Socket as NodeNetSocket } from 'node:net';
import { nextTick } from 'node:process';
import type { Socket } from '../network.js';

/** Dead hosts are found by probes: they close no connection by themselves. */
const KEEP_ALIVE_MS = 10_000;

/**
 * For all that has no room of its own yet: what is read here is copied once more, and a second read costs less than copying as
 * much.
 */
const READ_BUFFER_BYTES = 32 * 1024;

/** Where a socket reads to next, by turns its own buffer and the receiver's room. */
export class ReadBuffer {
  readonly #own = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);
  room: (() => Uint8Array | undefined) | undefined;

  next(): Uint8Array {
    return this.room?.() ?? this.#own;
  }
}

export class NodeSocket implements Socket {
  readonly peer: string;
  #receive: ((chunk: Uint8Array) => void) | undefined;
  #closed: ((reason: Error | undefined) => void) | undefined;
  #reason: Error | undefined;
  #corked = false;
  /** Bytes that came before there was a receiver. */
  readonly #early: Uint8Array[] = [];

  readonly #socket: NodeNetSocket;
  readonly #readBuffer: ReadBuffer | undefined;

  /**
   * @param readBuffer what the socket reads to, whose owner hands the bytes to `deliver`; without it they are taken from the
   * stream
   */
  constructor(socket: NodeNetSocket, peer: string, readBuffer: ReadBuffer | undefined) {
    this.#socket = socket;
    this.#readBuffer = readBuffer;
    this.peer = peer;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.setTimeout(0);
    socket.on('error', (error) => {
      this.#reason = error;
    });
    // The other side sends no more, so it will not read either: half-open connections have no use here.
    socket.on('end', () => socket.destroy());
    socket.on('close', () => this.#closed?.(this.#reason));
    if (readBuffer === undefined) socket.on('data', (chunk: Uint8Array) => this.deliver(chunk));
  }

  deliver(chunk: Uint8Array): void {
    if (this.#receive !== undefined) this.#receive(chunk);
    else this.#early.push(Uint8Array.from(chunk));
  }

  write(chunks: readonly Uint8Array[], sent?: () => void): void {
    if (this.#socket.destroyed) return;
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      // After all promises of this turn: replies that are ready together go together.
      nextTick(() => this.#uncork());
    }
    for (const [place, chunk] of chunks.entries()) {
      if (sent === undefined || place < chunks.length - 1) this.#socket.write(chunk);
      else this.#socket.write(chunk, (error) => (error ? undefined : sent()));
    }
  }

  queuedBytes(): number {
    return this.#socket.writableLength;
  }

  onData(receive: (chunk: Uint8Array) => void, room?: () => Uint8Array | undefined): void {
    this.#receive = receive;
    if (this.#readBuffer !== undefined) this.#readBuffer.room = room;
    if (this.#early.length === 0) return;
    queueMicrotask(() => {
      for (const chunk of this.#early.splice(0)) receive(chunk);
    });
  }

  onClose(closed: (reason: Error | undefined) => void): void {
    this.#closed = closed;
    if (this.#socket.closed) queueMicrotask(() => closed(this.#reason));
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** What was written in this turn still goes to the system, as far as it takes it at once: a last word gets through. */
  destroy(): void {
    this.#uncork();
    this.#socket.destroy();
  }

  #uncork(): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.#socket.uncork();
  }
}
