// Guesses which parts of segments are outside of the system's page cache. A
// direct read of them saves a copy and leaves the cache to others; but what is
// read again belongs into the cache. So a part is read directly once, and through
// the cache the next time. A wrong guess costs time, and is never wrong bytes.
import type { Pacer } from '../../runtime/pacer.js';
import type { Segments } from '../log/segments.js';

/** States of a part of a segment. It was not read since the segment was found to be outside of the cache. */
const UNREAD = 0;
/** It was read directly. */
const PASSED = 1;
/** It was read through the cache after that, or was written meanwhile. */
const FILLED = 2;

/** A segment that was found to be outside of the cache. */
interface Outside {
  /** The segment's size when it was looked at last. */
  sizeBytes: number;
  states: Uint8Array;
}

export class CacheGuess {
  readonly #outside = new Map<number, Outside>();

  readonly #segments: Segments;
  readonly #pacer: Pacer;
  readonly #partBytes: number;

  /**
   * @param pacer says whether reads through the cache are quick
   * @param partBytes the size of the parts that are remembered: no read that is asked about is shorter
   */
  constructor(segments: Segments, pacer: Pacer, partBytes: number) {
    this.#segments = segments;
    this.#pacer = pacer;
    this.#partBytes = partBytes;
  }

  /** Whether the caller is to read [from, to) of a segment directly; it counts as read so. Rejects when the segment can't be read. */
  async isForDirect(segment: number, from: number, to: number): Promise<boolean> {
    const known = this.#outside.get(segment);
    const decided = known && this.#decide(segment, known, from, to);
    if (decided !== undefined) return decided;
    const asked = await this.#segments.use(segment, async (file) => {
      // Another call has asked the disk meanwhile.
      if (this.#outside.get(segment) !== known) return undefined;
      // A slow disk is not asked, since the event loop would wait for it: a segment that was never looked at counts as outside.
      if (this.#pacer.isQuick ? this.#pacer.runNow(1, () => file.isCached(from)) : known !== undefined) return false;
      this.#part(this.#found(segment), from, to).fill(PASSED);
      return true;
    });
    return asked ?? this.isForDirect(segment, from, to);
  }

  /** The decision by what is remembered; undefined when the disk must be asked. */
  #decide(segment: number, known: Outside, from: number, to: number): boolean | undefined {
    // Direct reads of a file and appends to it wait for each other.
    if (this.#hasGrown(segment, known)) return false;
    const states = this.#part(known, from, to);
    if (states.includes(UNREAD)) {
      states.fill(PASSED);
      return true;
    }
    if (states.includes(PASSED)) {
      states.fill(FILLED);
      return false;
    }
    return undefined;
  }

  /** Whether `isForDirect` would say so of [from, to) now, without asking the disk. */
  expectsDirect(segment: number, from: number, to: number): boolean {
    const known = this.#outside.get(segment);
    return known?.sizeBytes === this.#segments.sizeOf(segment) && this.#part(known, from, to).includes(UNREAD);
  }

  /** Whether the segment has grown since it was looked at last. What was written since counts as cached. */
  #hasGrown(segment: number, outside: Outside): boolean {
    const sizeBytes = this.#segments.sizeOf(segment);
    if (outside.sizeBytes === sizeBytes) return false;
    const states = new Uint8Array(this.#partsOf(sizeBytes)).fill(FILLED);
    const whole = Math.floor(Math.min(outside.sizeBytes, sizeBytes) / this.#partBytes);
    states.set(outside.states.subarray(0, Math.min(whole, states.length)));
    Object.assign(outside, { sizeBytes, states });
    return true;
  }

  /** One part was found to be outside: from now on all parts of the segment count as outside. */
  #found(segment: number): Outside {
    if (this.#outside.size > this.#segments.count) {
      for (const each of this.#outside.keys()) if (!this.#segments.has(each)) this.#outside.delete(each);
    }
    const sizeBytes = this.#segments.sizeOf(segment);
    const found = { sizeBytes, states: new Uint8Array(this.#partsOf(sizeBytes)) };
    this.#outside.set(segment, found);
    return found;
  }

  /** The states of the parts whose middle lies in [from, to), so that consecutive reads share none. */
  #part({ states }: Outside, from: number, to: number): Uint8Array {
    return states.subarray(this.#partsOf(from), this.#partsOf(to));
  }

  #partsOf(bytes: number): number {
    return Math.round(bytes / this.#partBytes);
  }
}
