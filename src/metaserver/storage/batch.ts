// Batches of changed rows, as entries of a group's log: u64 digest of all batches before it, then each change as
//   u16 bytes of the key, u32 bytes of the value + 1 or 0 for a removal, key, value
// little-endian. The digest shows a replica whose rows differ from the leader's.
import { Buffer } from 'node:buffer';
import type { Key } from '../../namespace/view.js';
import { saltedChecksum } from '../../protocol/values/hash.js';

export type Changes = ReadonlyMap<Key, Uint8Array | null>;

const DIGEST_BYTES = 8;
const CHANGE_HEADER_BYTES = 6;

/** @param before the digest of all batches before this one */
export function encodeBatch(changes: Changes, before: bigint): Buffer {
  const bytes = encodeChanges(changes, DIGEST_BYTES);
  bytes.writeBigUInt64LE(before, 0);
  return bytes;
}

/** @param start what is left free before them */
export function encodeChanges(changes: Changes, start = 0): Buffer {
  let changesBytes = 0;
  for (const [key, value] of changes) changesBytes += CHANGE_HEADER_BYTES + key.length + (value?.length ?? 0);
  const bytes = Buffer.allocUnsafe(start + changesBytes);
  let at = start;
  for (const [key, value] of changes) {
    bytes.writeUInt16LE(key.length, at);
    bytes.writeUInt32LE(value === null ? 0 : value.length + 1, at + 2);
    at += CHANGE_HEADER_BYTES;
    at += bytes.write(key, at, 'latin1');
    if (value !== null) {
      bytes.set(value, at);
      at += value.length;
    }
  }
  return bytes;
}

export function digestBefore(batch: Buffer): bigint {
  return batch.readBigUInt64LE(0);
}

/** The digest of all batches up to this one. */
export function digestAfter(batch: Buffer): bigint {
  return saltedChecksum(batch.subarray(DIGEST_BYTES), digestBefore(batch));
}

export function changesOf(batch: Buffer): Generator<[Key, Uint8Array | null]> {
  return decodeChanges(batch.subarray(DIGEST_BYTES));
}

/** The values are copies. */
export function* decodeChanges(bytes: Buffer): Generator<[Key, Uint8Array | null]> {
  for (let at = 0; at < bytes.length; ) {
    const keyBytes = bytes.readUInt16LE(at);
    const valueBytes = bytes.readUInt32LE(at + 2) - 1;
    const valueStart = at + CHANGE_HEADER_BYTES + keyBytes;
    const key = bytes.toString('latin1', at + CHANGE_HEADER_BYTES, valueStart);
    at = valueStart + Math.max(0, valueBytes);
    yield [key, valueBytes < 0 ? null : new Uint8Array(bytes.subarray(valueStart, at))];
  }
}
