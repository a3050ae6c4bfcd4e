// Reads the arguments of one request, field by field. Throws MalformedRequest
// when the request is shorter than its layout.
import type { Buffer } from 'node:buffer';
import { IN_HEADER_BYTES } from './layout.js';
import { MalformedRequest, readWhole } from './whole-numbers.js';

export class RequestReader {
  #at = IN_HEADER_BYTES;
  readonly #source: Buffer;

  constructor(source: Buffer) {
    this.#source = source;
  }

  u32(): number {
    return this.#source.readUInt32LE(this.#advance(4));
  }

  u64(): number {
    return readWhole(this.#source, this.#advance(8));
  }

  big(): bigint {
    return this.#source.readBigUInt64LE(this.#advance(8));
  }

  /**
   * An offset into a file, or a number of its bytes. One that is too large to be exact, or negative, becomes the largest exact
   * number: that is behind the end of every file, and refused or answered as any place there.
   */
  offset(): number {
    const at = this.#advance(8);
    const value = this.#source.readUInt32LE(at) + this.#source.readUInt32LE(at + 4) * 0x1_0000_0000;
    return Math.min(value, Number.MAX_SAFE_INTEGER);
  }

  i64(): bigint {
    return this.#source.readBigInt64LE(this.#advance(8));
  }

  /** Skips fields that mean nothing here; each call says which. */
  skip(count: number): void {
    this.#advance(count);
  }

  bytes(count: number): Buffer {
    const start = this.#advance(count);
    return this.#source.subarray(start, start + count);
  }

  /** Up to the next NUL, one character per byte; never empty. */
  string(): string {
    const end = this.#source.indexOf(0, this.#at);
    if (end < 0) throw new MalformedRequest('a string without its end');
    if (end === this.#at) throw new MalformedRequest('an empty string');
    const text = this.#source.toString('latin1', this.#at, end);
    this.#at = end + 1;
    return text;
  }

  #advance(count: number): number {
    const start = this.#at;
    if (start + count > this.#source.length) throw new MalformedRequest('shorter than its layout');
    this.#at = start + count;
    return start;
  }
}
