// Randomness from a seed: xoshiro128** whose state is filled by splitmix32.
// Everything that happens by chance in a simulation comes from here.
import type { Random } from '../../../src/runtime/random.js';

const MASK = 0xffff_ffff;

export class SeededRandom implements Random {
  readonly #state: Uint32Array;

  /** @param seed any whole number; only its lower 32 bits count */
  constructor(seed: number) {
    let mixed = seed >>> 0;
    this.#state = Uint32Array.from({ length: 4 }, () => {
      mixed = (mixed + 0x9e3779b9) >>> 0;
      let word = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
      word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
      return (word ^ (word >>> 15)) >>> 0;
    });
  }

  /** 32 random bits. */
  word(): number {
    // Not as from any iterable, which takes several times as long.
    const { 0: a = 0, 1: b = 0, 2: c = 0, 3: d = 0 } = this.#state;
    const scrambled = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    this.#state[0] = a ^ d ^ b;
    this.#state[1] = b ^ c ^ a;
    this.#state[2] = c ^ a ^ (b << 9);
    this.#state[3] = rotate(d ^ b, 11);
    return scrambled;
  }

  fraction(): number {
    return this.word() / 2 ** 32;
  }

  bytes(count: number): Uint8Array {
    const bytes = Buffer.alloc(count);
    for (let at = 0; at < count; at++) bytes[at] = this.word() >>> 24;
    return bytes;
  }

  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.fraction() * (most - least + 1));
  }

  /** True in `share` of all cases. */
  chance(share: number): boolean {
    return this.fraction() < share;
  }

  /** One of the values. Throws when there is none. */
  pick<T>(values: readonly T[]): T {
    const value = values[this.between(0, values.length - 1)];
    if (value === undefined) throw new Error('nothing to pick from');
    return value;
  }

  /** A source of its own that depends on this one's state now. */
  fork(): SeededRandom {
    return new SeededRandom(this.word());
  }
}

function rotate(word: number, bits: number): number {
  return ((word << bits) | ((word & MASK) >>> (32 - bits))) >>> 0;
}
