// A pool of buffers for the payloads of large messages: allocating a fresh one
// for each costs more than copying its content.
import { Buffer } from 'node:buffer';

/** Smaller buffers are not pooled: Node's own pool makes them cheap. */
const MINIMUM_BYTES = 64 * 1024;
/** The most that one connection keeps. */
const MAXIMUM_KEPT_BYTES = 32 * 1024 * 1024;

export class BufferPool {
  readonly #free = new Map<number, Buffer[]>();
  #keptBytes = 0;

  /** A buffer of exactly `sizeBytes`, with whatever was in it before. */
  take(sizeBytes: number): Buffer {
    if (sizeBytes < MINIMUM_BYTES) return Buffer.allocUnsafe(sizeBytes);
    const capacity = 2 ** Math.ceil(Math.log2(sizeBytes));
    const kept = this.#free.get(capacity)?.pop();
    if (kept === undefined) return Buffer.allocUnsafeSlow(capacity).subarray(0, sizeBytes);
    this.#keptBytes -= capacity;
    return kept.subarray(0, sizeBytes);
  }

  /** Gives back what `take` answered; nobody may look at it any more. */
  release(buffer: Buffer): void {
    const capacity = buffer.buffer.byteLength;
    if (buffer.length < MINIMUM_BYTES || this.#keptBytes + capacity > MAXIMUM_KEPT_BYTES) return;
    const kept = this.#free.get(capacity) ?? [];
    kept.push(Buffer.from(buffer.buffer));
    this.#free.set(capacity, kept);
    this.#keptBytes += capacity;
  }
}
