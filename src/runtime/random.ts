// Randomness is passed in, so that a run can be repeated from its seed.
import { Buffer } from 'node:buffer';

export interface Random {
  /** A number in [0, 1). */
  fraction(): number;
  /** `count` random bytes; unpredictable to others when the adapter is Node's. */
  bytes(count: number): Uint8Array;
}

/** `count` random bytes as lower-case hexadecimal digits: identifiers of clusters and stores. */
export function randomHex(random: Random, count: number): string {
  return Buffer.from(random.bytes(count)).toString('hex');
}
