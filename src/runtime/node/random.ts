// Node's randomness: bytes that nobody can predict, fractions that are fast.
import { Buffer } from 'node:buffer';
import { randomFillSync } from 'node:crypto';
import type { Random } from '../random.js';

/** The generator takes 10 µs a call, however few bytes it is asked for. */
const POOL_BYTES = 4096;

const pool = Buffer.alloc(POOL_BYTES);
let used = POOL_BYTES;

export const nodeRandom: Random = {
  fraction: () => Math.random(),
  bytes(count) {
    if (count > POOL_BYTES) return randomFillSync(Buffer.alloc(count));
    if (used + count > POOL_BYTES) {
      randomFillSync(pool);
      used = 0;
    }
    const bytes = Uint8Array.from(pool.subarray(used, used + count));
    // Nobody finds it in this process's memory afterwards.
    pool.fill(0, used, used + count);
    used += count;
    return bytes;
  },
};
