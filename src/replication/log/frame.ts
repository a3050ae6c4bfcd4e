// What one append writes to a segment, byte by byte, little-endian:
//   u64 checksum of the rest, u64 number of the frame, u32 bytes of the records, u32 checksum of these two,
//   records, zeros up to 8
// A record is
//   u8 kind, u32 bytes of the payload, u48 index, u48 term, payload
// A frame is whole or does not count, so what one append stores is stored together. Checksums are salted by segment: neither what
// an earlier use of the file has left nor bytes that users have stored are ever taken for a frame.
import { Buffer } from 'node:buffer';
import { saltedChecksum } from '../../protocol/values/hash.js';
import { assert } from '../../runtime/assert.js';
import type { Content, Entry, HardState, Mark } from '../core/core.js';
import type { MemberId, Members } from '../core/members.js';

/** What a segment begins with: it says all that earlier segments do, but for entries. */
export interface Begin {
  /** Whose log it is. */
  readonly owner: MemberId;
  readonly hardState: HardState;
  readonly damagedUpTo: number;
  /** The entry before the first of this segment. */
  readonly mark: Mark;
  /** The last frame before this one that counts. */
  readonly previousFrame: number;
  /** Whether the log was replaced: no entry of earlier segments counts. */
  readonly isReset: boolean;
}

export type LogRecord =
  | { readonly kind: 'entry'; readonly entry: Entry }
  | { readonly kind: 'hardState'; readonly hardState: HardState }
  | { readonly kind: 'begin'; readonly begin: Begin };

export interface Frame {
  readonly number: number;
  readonly records: readonly LogRecord[];
  readonly start: number;
  /** Where the next one begins. */
  readonly end: number;
}

const HEADER_BYTES = 24;
const CHECKSUM_BYTES = 8;
const HEADER_CHECKSUM_AT = 20;
const ALIGNMENT_BYTES = 8;
const RECORD_HEADER_BYTES = 17;

const Kind = { NOTHING: 1, DATA: 2, MEMBERS: 3, HARD_STATE: 4, BEGIN: 5 } as const;

/** What one append writes, before it is known where it goes. */
export class FrameParts {
  readonly #parts: readonly EncodedRecord[];
  readonly #recordsBytes: number;
  /** Of the whole frame. */
  readonly bytes: number;

  constructor(records: readonly LogRecord[]) {
    this.#parts = records.map(encodeRecord);
    this.#recordsBytes = this.#parts.reduce((sum, { payload }) => sum + RECORD_HEADER_BYTES + payload.length, 0);
    this.bytes = alignUp(HEADER_BYTES + this.#recordsBytes);
  }

  encode(number: number, salt: bigint): Buffer {
    const bytes = Buffer.alloc(this.bytes);
    bytes.writeBigUInt64LE(BigInt(number), CHECKSUM_BYTES);
    bytes.writeUInt32LE(this.#recordsBytes, 16);
    let at = HEADER_BYTES;
    for (const { kind, index, term, payload } of this.#parts) {
      bytes.writeUInt8(kind, at);
      bytes.writeUInt32LE(payload.length, at + 1);
      bytes.writeUIntLE(index, at + 5, 6);
      bytes.writeUIntLE(term, at + 11, 6);
      bytes.set(payload, at + RECORD_HEADER_BYTES);
      at += RECORD_HEADER_BYTES + payload.length;
    }
    bytes.writeUInt32LE(headerChecksum(bytes, 0, salt), HEADER_CHECKSUM_AT);
    bytes.writeBigUInt64LE(saltedChecksum(bytes.subarray(CHECKSUM_BYTES), salt), 0);
    return bytes;
  }
}

/** The frame at this place; undefined when there is none. The data of its entries are copies. */
export function decodeFrame(content: Buffer, at: number, salt: bigint): Frame | undefined {
  if (at + HEADER_BYTES > content.length) return undefined;
  const recordsBytes = content.readUInt32LE(at + 16);
  const end = at + alignUp(HEADER_BYTES + recordsBytes);
  if (end > content.length) return undefined;
  if (content.readBigUInt64LE(at) !== saltedChecksum(content.subarray(at + CHECKSUM_BYTES, end), salt))
    return undefined;
  const records = decodeRecords(content.subarray(at + HEADER_BYTES, at + HEADER_BYTES + recordsBytes));
  return { number: Number(content.readBigUInt64LE(at + CHECKSUM_BYTES)), records, start: at, end };
}

/** The frames from `start` on, up to the first place where none follows with the next number. */
export function leadingFrames(content: Buffer, start: number, salt: bigint): Frame[] {
  const frames: Frame[] = [];
  for (let at = start; ; ) {
    const frame = decodeFrame(content, at, salt);
    const before = frames.at(-1);
    if (frame === undefined || (before !== undefined && frame.number !== before.number + 1)) return frames;
    frames.push(frame);
    at = frame.end;
  }
}

/** The whole frames behind `start`, wherever they are. */
export function laterFrames(content: Buffer, start: number, salt: bigint): Frame[] {
  const frames: Frame[] = [];
  for (let at = start; at + HEADER_BYTES <= content.length; ) {
    const isHeader = content.readUInt32LE(at + HEADER_CHECKSUM_AT) === headerChecksum(content, at, salt);
    const frame = isHeader ? decodeFrame(content, at, salt) : undefined;
    if (frame !== undefined) frames.push(frame);
    at = frame?.end ?? at + ALIGNMENT_BYTES;
  }
  return frames;
}

interface EncodedRecord {
  kind: number;
  index: number;
  term: number;
  payload: Uint8Array;
}

function encodeRecord(record: LogRecord): EncodedRecord {
  switch (record.kind) {
    case 'begin':
      return { kind: Kind.BEGIN, index: 0, term: 0, payload: encodeJson(record.begin) };
    case 'hardState': {
      const { term, vote } = record.hardState;
      return { kind: Kind.HARD_STATE, index: 0, term, payload: encodeJson(vote) };
    }
    case 'entry': {
      const { index, term, content } = record.entry;
      return { index, term, ...encodeContent(content) };
    }
  }
}

function encodeContent(content: Content): { kind: number; payload: Uint8Array } {
  switch (content.kind) {
    case 'nothing':
      return { kind: Kind.NOTHING, payload: new Uint8Array(0) };
    case 'members':
      return { kind: Kind.MEMBERS, payload: encodeJson(content.members) };
    case 'data':
      assert(content.data instanceof Uint8Array, 'a log on disk stores bytes');
      return { kind: Kind.DATA, payload: content.data };
  }
}

function decodeRecords(bytes: Buffer): LogRecord[] {
  const records: LogRecord[] = [];
  for (let at = 0; at < bytes.length; ) {
    const start = at + RECORD_HEADER_BYTES;
    const payload = bytes.subarray(start, start + bytes.readUInt32LE(at + 1));
    records.push(decodeRecord(bytes.readUInt8(at), bytes.readUIntLE(at + 5, 6), bytes.readUIntLE(at + 11, 6), payload));
    at = start + payload.length;
  }
  return records;
}

function decodeRecord(kind: number, index: number, term: number, payload: Buffer): LogRecord {
  switch (kind) {
    case Kind.BEGIN:
      return { kind: 'begin', begin: decodeJson(payload) as Begin };
    case Kind.HARD_STATE:
      return { kind: 'hardState', hardState: { term, vote: decodeJson(payload) as HardState['vote'] } };
    case Kind.NOTHING:
      return { kind: 'entry', entry: { index, term, content: { kind: 'nothing' } } };
    case Kind.MEMBERS:
      return {
        kind: 'entry',
        entry: { index, term, content: { kind: 'members', members: decodeJson(payload) as Members } },
      };
    default: {
      assert(kind === Kind.DATA, 'what has the right checksum was written here');
      const content: Content = { kind: 'data', data: new Uint8Array(payload), bytes: payload.length };
      return { kind: 'entry', entry: { index, term, content } };
    }
  }
}

function encodeJson(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value), 'utf8');
}

function decodeJson(bytes: Buffer): unknown {
  return JSON.parse(bytes.toString('utf8'));
}

/** Cheap to compute: rules most places out before the checksum of a whole frame is tried. */
function headerChecksum(bytes: Buffer, at: number, salt: bigint): number {
  return Number(BigInt.asUintN(32, saltedChecksum(bytes.subarray(at + CHECKSUM_BYTES, at + HEADER_CHECKSUM_AT), salt)));
}

function alignUp(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}
