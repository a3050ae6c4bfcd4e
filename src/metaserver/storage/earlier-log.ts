// The write-ahead log of stores that were last used before there were groups: two files, with a record for each write, byte by
// byte, little-endian:
//   u64 checksum of the rest, u64 number of the write, u32 bytes of the changes, u32 checksum of these two,
//   changes (see batch.ts), zeros up to 8
// Behind the last record a file holds records of earlier rounds, which have lower numbers. Checksums are salted.
import { Buffer } from 'node:buffer';
import { join } from 'node:path';
import type { Key } from '../../namespace/view.js';
import { saltedChecksum } from '../../protocol/values/hash.js';
import type { Disk } from '../../runtime/disk.js';
import { type Changes, decodeChanges } from './batch.js';
import type { EarlierProgress } from './progress.js';

const NAMES = ['commits-1.log', 'commits-2.log'] as const;
const HEADER_BYTES = 24;
const CHECKSUM_BYTES = 8;
const HEADER_CHECKSUM_AT = 20;
const ALIGNMENT_BYTES = 8;

interface LogRecord {
  number: number;
  changes: Buffer;
  /** Where the next one begins. */
  end: number;
}

/**
 * The changes of all writes that the storage lacks, merged. A torn write at the end was never acknowledged and is left out.
 * Rejects when a later write is whole behind a torn one: acknowledged writes are damaged then.
 */
export async function readEarlierLog(
  directory: string,
  { number, salt }: EarlierProgress,
  disk: Disk,
): Promise<Changes> {
  const contents = await Promise.all(
    NAMES.map(async (name) => Buffer.from((await disk.readFile(join(directory, name))) ?? [])),
  );
  const records = contents.flatMap((content) => leadingRecords(content, salt));
  records.sort((one, other) => one.number - other.number);
  const changes = new Map<Key, Uint8Array | null>();
  let last = number;
  for (const record of records) {
    if (record.number <= last) continue;
    if (record.number !== last + 1) break;
    for (const [key, value] of decodeChanges(record.changes)) changes.set(key, value);
    last = record.number;
  }
  const beyond = contents.map((content) => firstRecordAfter(content, salt, last)).find((found) => found !== undefined);
  if (beyond !== undefined) {
    throw new Error(
      `${NAMES.join(' and ')} are damaged: write ${beyond} is there, and write ${last + 1} is not. ` +
        `Without these two files the metaserver starts with what its database has, up to write ${number}`,
    );
  }
  return changes;
}

export async function removeEarlierLog(directory: string, disk: Disk): Promise<void> {
  for (const name of NAMES) await disk.remove(join(directory, name));
}

/** The records from the start of a file, up to the first place where none follows with the next number. */
function leadingRecords(content: Buffer, salt: bigint): LogRecord[] {
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
function firstRecordAfter(content: Buffer, salt: bigint, last: number): number | undefined {
  for (let at = 0; at + HEADER_BYTES <= content.length; at += ALIGNMENT_BYTES) {
    const number = content.readBigUInt64LE(at + CHECKSUM_BYTES);
    if (number <= BigInt(last) || number > BigInt(last + content.length)) continue;
    if (content.readUInt32LE(at + HEADER_CHECKSUM_AT) !== headerChecksum(content, at, salt)) continue;
    const record = decodeRecord(content, at, salt);
    if (record !== undefined) return record.number;
  }
  return undefined;
}

/** Cheap to compute: rules most places out before the checksum of a whole record is tried. */
function headerChecksum(bytes: Buffer, at: number, salt: bigint): number {
  return Number(BigInt.asUintN(32, saltedChecksum(bytes.subarray(at + CHECKSUM_BYTES, at + HEADER_CHECKSUM_AT), salt)));
}

function decodeRecord(content: Buffer, at: number, salt: bigint): LogRecord | undefined {
  if (at + HEADER_BYTES > content.length) return undefined;
  const changesBytes = content.readUInt32LE(at + 16);
  const end = at + Math.ceil((HEADER_BYTES + changesBytes) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  if (end > content.length) return undefined;
  if (content.readBigUInt64LE(at) !== saltedChecksum(content.subarray(at + CHECKSUM_BYTES, end), salt)) {
    return undefined;
  }
  const start = at + HEADER_BYTES;
  const number = Number(content.readBigUInt64LE(at + CHECKSUM_BYTES));
  return { number, changes: content.subarray(start, start + changesBytes), end };
}
