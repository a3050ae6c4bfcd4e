// The log in front of the metaserver's database: every write as one record, on
// the disk after one sync. A commit of the database itself waits for the disk
// twice, and writes whole pages.
//
// Two files take turns: while the database takes over what one has, the other
// is written. Both have their full size from the start, so that a sync has no
// inode to write. A record is
//   u64 checksum of the rest, u64 number of the write, u32 bytes of the changes, u32 checksum of these two,
//   changes, zeros up to 8
// and a change is
//   u16 bytes of the key, u32 bytes of the value + 1 or 0 for a removal, key, value
// little-endian. What is left of earlier rounds behind the last record has lower
// numbers, and the salt keeps what users have stored from being taken for records.
import { Buffer } from 'node:buffer';
import { join } from 'node:path';
import { saltedChecksum } from '../../protocol/services/hash.js';
import { assert } from '../../runtime/assert.js';
import type { DiskFile } from '../../runtime/disk.js';
import { Pacer } from '../../runtime/pacer.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { Key } from '../engine/storage.js';

export type Changes = ReadonlyMap<Key, Uint8Array | null>;

const NAMES = ['commits-1.log', 'commits-2.log'] as const;
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

export class CommitLog {
  readonly #pacer: Pacer;
  #salt = 0n;
  /** Of the last write, whatever became of it: no number is used twice. */
  #last = 0;
  #end = 0;

  /** The one that is written, and the other; null while they can't be used. */
  #files: readonly [DiskFile, DiskFile] | null = null;

  readonly #directory: string;
  readonly #fileBytes: number;
  readonly #runtime: Runtime;

  private constructor(directory: string, fileBytes: number, runtime: Runtime) {
    this.#directory = directory;
    this.#fileBytes = fileBytes;
    this.#runtime = runtime;
    this.#pacer = new Pacer(runtime.clock);
  }

  /**
   * Opens the files in `directory`, which exists, or makes them. On a disk that has no room for them, or takes no writes, there
   * is no room for a record either.
   */
  static async open(directory: string, fileBytes: number, runtime: Runtime): Promise<CommitLog> {
    const log = new CommitLog(directory, fileBytes, runtime);
    await log.prepare();
    return log;
  }

  /** Makes room for records where there is none: on a disk that takes writes again. Nothing may be on its way to the log. */
  async prepare(): Promise<void> {
    if (this.#files !== null) return;
    try {
      this.#files = await this.#openFiles();
    } catch (error) {
      const fields = { directory: this.#directory, wantedBytes: 2 * this.#fileBytes, reason: String(error) };
      this.#runtime.log.warn('metadata.log_unusable', fields);
    }
  }

  /** The number of the last write. */
  get last(): number {
    return this.#last;
  }

  /** Whether it is time to have the database take over what is in the file. */
  get isHalfFull(): boolean {
    return this.#end > this.#fileBytes / 2;
  }

  /**
   * What all writes after number `after` have changed together, and the number of the last one. A last write that is not there
   * as a whole was never answered. Fails when one before others is not: then what was answered for is damaged.
   */
  async read(salt: bigint, after: number): Promise<{ changes: Map<Key, Uint8Array | null>; last: number }> {
    const contents = await Promise.all(NAMES.map((name) => this.#contentOf(name)));
    const records = contents.flatMap((content) => recordsOf(content, salt));
    records.sort((one, other) => one.number - other.number);
    const changes = new Map<Key, Uint8Array | null>();
    let last = after;
    for (const record of records) {
      if (record.number <= last) continue;
      if (record.number !== last + 1) break;
      for (const [key, value] of decodeChanges(record.changes)) changes.set(key, value);
      last = record.number;
    }
    const beyond = contents.map((content) => numberBeyond(content, salt, last)).find((number) => number !== undefined);
    if (beyond !== undefined) {
      throw new Error(
        `${NAMES.join(' and ')} are damaged: write ${beyond} is there, and write ${last + 1} is not. ` +
          `Without these two files the metaserver starts with what its database has, up to write ${after}`,
      );
    }
    return { changes, last };
  }

  /** All that is here is in the database: the next write is the first one here, after number `last`. */
  startOver(salt: bigint, last: number): void {
    this.#salt = salt;
    this.#last = last;
    this.#end = 0;
  }

  /** The other file is written from now on: all that is there is in the database. */
  takeTurns(): void {
    if (this.#files === null) return;
    const [current, other] = this.#files;
    this.#files = [other, current];
    this.#end = 0;
  }

  /** The record of the next write; nothing is changed by making it. */
  record(changes: Changes): Buffer {
    return encodeRecord(this.#last + 1, changes, this.#salt);
  }

  hasRoom(record: Buffer): boolean {
    return this.#files !== null && this.#end + record.length <= this.#fileBytes;
  }

  /** On the disk when it resolves. After a rejection nothing may be appended until all is in the database. */
  async append(record: Buffer): Promise<void> {
    assert(this.#files !== null && this.hasRoom(record), 'only what the log has room for is appended');
    const [file] = this.#files;
    const position = this.#end;
    this.#last++;
    this.#end += record.length;
    const { syncNow } = file;
    if (syncNow !== undefined && this.#pacer.isQuick) {
      this.#pacer.runNow(record.length, () => {
        file.writeNow([record], position);
        syncNow.call(file);
      });
    } else {
      await this.#pacer.runPooled(record.length, async () => {
        await file.write([record], position);
        await file.sync();
      });
    }
  }

  async close(): Promise<void> {
    const files = this.#files ?? [];
    this.#files = null;
    for (const file of files) await file.close();
  }

  async #openFiles(): Promise<readonly [DiskFile, DiskFile]> {
    const { disk } = this.#runtime;
    const [first, second] = NAMES.map((name) => join(this.#directory, name)) as [string, string];
    const one = await disk.open(first, 'create');
    try {
      const other = await disk.open(second, 'create');
      try {
        await fillUp(one, this.#fileBytes);
        await fillUp(other, this.#fileBytes);
        await disk.syncDirectory(this.#directory);
        return [one, other];
      } catch (error) {
        await other.close();
        throw error;
      }
    } catch (error) {
      await one.close();
      throw error;
    }
  }

  /** Also of a file that can only be read. */
  async #contentOf(name: string): Promise<Buffer> {
    const content = await this.#runtime.disk.readFile(join(this.#directory, name));
    return content === undefined ? Buffer.alloc(0) : Buffer.from(content);
  }
}

/** Gives the file its size. When that fails, nothing of the disk's last room is kept. */
async function fillUp(file: DiskFile, sizeBytes: number): Promise<void> {
  const present = await file.sizeBytes();
  if (present >= sizeBytes) return;
  try {
    await file.write([Buffer.alloc(sizeBytes - present)], present);
    await file.sync();
  } catch (error) {
    await file.truncate(present);
    throw error;
  }
}

/** Records behind each other from the beginning on, up to the first that is none, or is left from an earlier round. */
function recordsOf(content: Buffer, salt: bigint): LogRecord[] {
  const records: LogRecord[] = [];
  for (let at = 0; ; ) {
    const record = decodeRecord(content, at, salt);
    const before = records.at(-1);
    if (record === undefined || (before !== undefined && record.number !== before.number + 1)) return records;
    records.push(record);
    at = record.end;
  }
}

/** The number of some whole record after `last` that lies anywhere: it can only be behind damage. */
function numberBeyond(content: Buffer, salt: bigint, last: number): number | undefined {
  for (let at = 0; at + HEADER_BYTES <= content.length; at += ALIGNMENT_BYTES) {
    const number = content.readBigUInt64LE(at + CHECKSUM_BYTES);
    if (number <= BigInt(last) || number > BigInt(last + content.length)) continue;
    if (content.readUInt32LE(at + HEADER_CHECKSUM_AT) !== headerChecksum(content, at, salt)) continue;
    const record = decodeRecord(content, at, salt);
    if (record !== undefined) return record.number;
  }
  return undefined;
}

function encodeRecord(number: number, changes: Changes, salt: bigint): Buffer {
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

/** Tells at little cost that something is no record of this log, whatever users have stored. */
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

function* decodeChanges(bytes: Buffer): Generator<[Key, Uint8Array | null]> {
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
