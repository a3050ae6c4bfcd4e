// The one row of counters.
import type { Buffer } from 'node:buffer';
import { encodeNumbers, expectBytes, readNumber } from './numbers.js';

/** Next numbers to be given out, and totals over all tables. */
export interface Counters {
  nextInode: number;
  nextVersion: number;
  nextGarbage: number;
  inodes: number;
  blocks: number;
  bytes: number;
  garbage: number;
  /** Rows of the table `missed`, of all servers. */
  missed: number;
  /** No commit puts a version below this one. */
  retiredBelow: number;
}

export function encodeCounters(row: Counters): Buffer {
  return encodeNumbers([
    row.nextInode,
    row.nextVersion,
    row.nextGarbage,
    row.inodes,
    row.blocks,
    row.bytes,
    row.garbage,
    row.missed,
    row.retiredBelow,
  ]);
}

export function decodeCounters(value: Uint8Array): Counters {
  const bytes = expectBytes(value, 64);
  return {
    // A row of an earlier version of nmrfs ends before this number.
    retiredBelow: bytes.length > 64 ? readNumber(bytes, 64) : 0,
    nextInode: readNumber(bytes, 0),
    nextVersion: readNumber(bytes, 8),
    nextGarbage: readNumber(bytes, 16),
    inodes: readNumber(bytes, 24),
    blocks: readNumber(bytes, 32),
    bytes: readNumber(bytes, 40),
    garbage: readNumber(bytes, 48),
    missed: readNumber(bytes, 56),
  };
}
