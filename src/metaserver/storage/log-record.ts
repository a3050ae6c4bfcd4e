// Records of the metaserver's write-ahead log, byte by byte, little-endian:
//   u64 checksum of the rest, u64 number of the write, u32 bytes of the changes, u32 checksum of these two,
//   changes, zeros up to 8
// A change is
//   u16 bytes of the key, u32 bytes of the value + 1 or 0 for a removal, key, value
// Behind the last record a file holds records of earlier rounds, which have lower
// numbers. Checksums are salted, so that bytes that users have stored are never
// taken for a record.
import { Buffer } from 'node:buffer';
import { saltedChecksum } from '../../protocol/values/hash.js';
import type { Key } from '../engine/storage.js';

export type Changes = ReadonlyMap<Key, Uint8Array | null>;

const HEADER_BYTES = 24;
const CHECKSUM_BYTES = 8;
const HEADER_CHECKSUM_AT = 20;
const CHANGE_HEADER_BYTES = 6;
const ALIGNMENT_BYTES = 8;

interface LogRecord {
  number: number;
  changes: Buffer;
  /** Where the next one begins. */
  end: number;
}

/** The records from the start of a file, up to the first place where none follows with the next number. */
export function leadingRecords(content: Buffer, salt: bigint): LogRecord[] {
  const records: LogRecord[] = [];
  for (let at = 0; ; ) {
    const record = decodeRecord(content, at, salt);
    const before = records.at(-1);
    if (record === undefined || (before !== undefined && record.number !== before.number + 1)) return records;
    records.push(record);
    at = record.end;
  }
}

/** The number of a whole record after write `last`, wherever in the file it is; undefined when there is none. */
export function firstRecordAfter(content: Buffer, salt: bigint, last: number): number | undefined {
  for (let at = 0; at + HEADER_BYTES <= content.length; at += ALIGNMENT_BYTES) {
    const number = content.readBigUInt64LE(at + CHECKSUM_BYTES);
    if (number <= BigInt(last) || number > BigInt(last + content.length)) continue;
    if (content.readUInt32LE(at + HEADER_CHECKSUM_AT) !== headerChecksum(content, at, salt)) continue;
    const record = decodeRecord(content, at, salt);
    if (record !== undefined) return record.number;
  }
  return undefined;
}

export function encodeLogRecord(number: number, changes: Changes, salt: bigint): Buffer {
  let changesBytes = 0;
  for (const [key, value] of changes) changesBytes += CHANGE_HEADER_BYTES + key.length + (value?.length ?? 0);
  const bytes = Buffer.alloc(alignUp(HEADER_BYTES + changesBytes));
  bytes.writeBigUInt64LE(BigInt(number), CHECKSUM_BYTES);
  bytes.writeUInt32LE(changesBytes, 16);
  let at = HEADER_BYTES;
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
  bytes.writeUInt32LE(headerChecksum(bytes, 0, salt), HEADER_CHECKSUM_AT);
  bytes.writeBigUInt64LE(saltedChecksum(bytes.subarray(CHECKSUM_BYTES), salt), 0);
  return bytes;
}

/** Cheap to compute: rules most places out before the checksum of a whole record is tried. */
function headerChecksum(bytes: Buffer, at: number, salt: bigint): number {
  return Number(BigInt.asUintN(32, saltedChecksum(bytes.subarray(at + CHECKSUM_BYTES, at + HEADER_CHECKSUM_AT), salt)));
}

function decodeRecord(content: Buffer, at: number, salt: bigint): LogRecord | undefined {
  if (at + HEADER_BYTES > content.length) return undefined;
  const changesBytes = content.readUInt32LE(at + 16);
  const end = at + alignUp(HEADER_BYTES + changesBytes);
  if (end > content.length) return undefined;
  if (content.readBigUInt64LE(at) !== saltedChecksum(content.subarray(at + CHECKSUM_BYTES, end), salt)) {
    return undefined;
  }
  const start = at + HEADER_BYTES;
  const number = Number(content.readBigUInt64LE(at + CHECKSUM_BYTES));
  return { number, changes: content.subarray(start, start + changesBytes), end };
}

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

function alignUp(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}
