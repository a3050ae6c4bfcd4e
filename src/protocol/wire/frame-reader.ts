// Cuts a stream of bytes into frames and decodes them. Chunks end anywhere and
// are valid only during the call. Payloads end up in a buffer of the frame's
// exact size: read into it, or copied if they came in a chunk with something else.
import { Buffer } from 'node:buffer';
import { malformed } from '../errors.js';
import { MAXIMUM_FRAME_BYTES, MAXIMUM_HEADER_BYTES } from '../limits.js';
import { BufferPool } from './buffer-pool.js';
import { decodeMessage, type Message, PREFIX_BYTES } from './codec.js';
import { checkHeader } from './header-check.js';

/** Less than this is copied: a read of its own would cost more. */
const MINIMUM_ROOM_BYTES = 16 * 1024;

const NO_PAYLOADS = new Uint8Array(0);

export class FrameReader {
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #prefixBytes = 0;
  #frameBytes = 0;
  #headerBytes = 0;
  /** A header that came in pieces. */
  #header: Buffer | undefined;
  #headerFilled = 0;
  /** A message whose payloads are still coming. */
  #message: Message | undefined;
  #payloads: Buffer | undefined;
  #payloadsFilled = 0;
  #stopped = false;

  readonly #deliver: (message: Message, sizeBytes: number, payloads: Buffer | undefined) => void;
  readonly #pool: BufferPool;

  /**
   * @param deliver takes each message with the size of its frame in bytes, and the buffer that its payloads are views of
   * @param pool where that buffer comes from, and goes back to when the receiver says so
   */
  constructor(
    deliver: (message: Message, sizeBytes: number, payloads: Buffer | undefined) => void,
    pool = new BufferPool(),
  ) {
    this.#deliver = deliver;
    this.#pool = pool;
  }

  /** Nothing is delivered any more, not even from the chunk at hand. */
  stop(): void {
    this.#stopped = true;
  }

  /** Where the next bytes belong, if that is known. */
  room(): Uint8Array | undefined {
    if (this.#payloads === undefined || this.#payloads.length - this.#payloadsFilled < MINIMUM_ROOM_BYTES)
      return undefined;
    return this.#payloads.subarray(this.#payloadsFilled);
  }

  /** Takes the next bytes; delivers what they complete. Throws MALFORMED, after which the stream can't go on. */
  push(bytes: Uint8Array): void {
    const chunk = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    while (at < chunk.length && !this.#stopped) {
      if (this.#payloads !== undefined) at = this.#fillPayloads(this.#payloads, chunk, at);
      else if (this.#header !== undefined) at = this.#fillHeader(this.#header, chunk, at);
      else at = this.#begin(chunk, at);
    }
  }

  #begin(chunk: Buffer, start: number): number {
    let at = start;
    if (this.#prefixBytes === 0 && chunk.length - at >= PREFIX_BYTES) {
      this.#frameBytes = chunk.readUInt32BE(at);
      this.#headerBytes = chunk.readUInt32BE(at + 4);
      at += PREFIX_BYTES;
    } else {
      const taken = chunk.copy(this.#prefix, this.#prefixBytes, at);
      this.#prefixBytes += taken;
      at += taken;
      if (this.#prefixBytes < PREFIX_BYTES) return at;
      this.#frameBytes = this.#prefix.readUInt32BE(0);
      this.#headerBytes = this.#prefix.readUInt32BE(4);
      this.#prefixBytes = 0;
    }
    if (this.#frameBytes > MAXIMUM_FRAME_BYTES) throw malformed(`a frame of ${this.#frameBytes} bytes`);
    if (this.#headerBytes > MAXIMUM_HEADER_BYTES) throw malformed(`a header of ${this.#headerBytes} bytes`);
    if (this.#headerBytes + 4 > this.#frameBytes) throw malformed('a header longer than its frame');
    if (this.#headerBytes === 0) throw malformed('a frame without a header');
    const end = at + this.#headerBytes;
    if (end > chunk.length) {
      this.#header = Buffer.allocUnsafe(this.#headerBytes);
      this.#headerFilled = 0;
      return at;
    }
    this.#decode(chunk, at, end);
    return end;
  }

  #fillHeader(header: Buffer, chunk: Buffer, at: number): number {
    const taken = chunk.copy(header, this.#headerFilled, at);
    this.#headerFilled += taken;
    if (this.#headerFilled === header.length) {
      this.#header = undefined;
      this.#decode(header, 0, header.length);
    }
    return at + taken;
  }

  /** The header is whole: the message is built now, on a buffer that its payloads fill as they come. */
  #decode(bytes: Buffer, start: number, end: number): void {
    const payloadBytes = checkHeader(bytes, start, end);
    const expected = this.#frameBytes - 4 - this.#headerBytes;
    if (payloadBytes !== expected) throw malformed(`${expected} bytes of payloads instead of ${payloadBytes}`);
    if (payloadBytes === 0) {
      this.#deliver(decodeMessage(bytes, start, end, NO_PAYLOADS), this.#frameBytes, undefined);
      return;
    }
    this.#payloads = this.#pool.take(payloadBytes);
    this.#payloadsFilled = 0;
    this.#message = decodeMessage(bytes, start, end, this.#payloads);
  }

  #fillPayloads(payloads: Buffer, chunk: Buffer, at: number): number {
    const isThere =
      chunk.buffer === payloads.buffer && chunk.byteOffset + at === payloads.byteOffset + this.#payloadsFilled;
    const taken = isThere ? chunk.length - at : chunk.copy(payloads, this.#payloadsFilled, at);
    this.#payloadsFilled += taken;
    if (this.#payloadsFilled === payloads.length) {
      const message = this.#message;
      this.#payloads = undefined;
      this.#message = undefined;
      if (message !== undefined) this.#deliver(message, this.#frameBytes, payloads);
    }
    return at + taken;
  }
}
