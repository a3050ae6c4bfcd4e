// Node's randomness: bytes that nobody can predict, fractions that are fast.
import { randomBytes } from 'node:crypto';
import type { Random } from '../random.js';

export const nodeRandom: Random = {
  fraction: () => Math.random(),
  bytes: (count) => randomBytes(count),
};
