// Records of the segment log, byte by byte. A record is a header of 64 bytes,
// a description (a version's row, or tombstones), the payload (whole pages),
// and zeros up to the next multiple of 8. The checksum covers header and
// description; the payload is covered page by page by the row's page hashes.
// It is salted with the store's id, and the header names its own place, so that
// a copy of a record within user data is never taken for one.
import { Buffer } from 'node:buffer';
import xxhash from 'xxhash-wasm';
import type { BlockKey } from '../../protocol/services/blocks.js';
import { saltedChecksum } from '../../protocol/values/hash.js';
import { MAXIMUM_BLOCK_BYTES, MAXIMUM_META_BYTES, RECORD_ALIGNMENT_BYTES } from '../limits.js';
import { BLOCK_KEY_BYTES, readBlockKey, writeBlockKey } from './keys.js';
import type { Place } from './version-row.js';

const library = await xxhash();

export const HEADER_BYTES = 64;
export const RECORD_MAGIC = Buffer.from('nmrfsRec', 'latin1');

const VERSION_KIND = 1;
const TOMBSTONES_KIND = 2;
const CHECKSUM_AT = 56;

export type RecordKind = 'version' | 'tombstones';

export interface RecordHeader {
  kind: RecordKind;
  /** Zeros for tombstones, which have their keys in the description. */
  key: BlockKey;
  place: Place;
  metaBytes: number;
  payloadBytes: number;
}

/** Deletes a version: records of it up to and including `last` are dead. */
export interface Tombstone {
  key: BlockKey;
  /** No record of it lies in an earlier segment. */
  firstSegment: number;
  last: Place;
}

/** The key of a record that has its keys in its description, or none. */
export const NO_KEY: BlockKey = { inode: 0, index: 0, version: 0 };
const NO_META = new Uint8Array(0);

const TOMBSTONE_BYTES = BLOCK_KEY_BYTES + 12;

/** Bytes that a record takes in the log, padding included. */
export function recordBytes(metaBytes: number, payloadBytes: number): number {
  return alignUp(HEADER_BYTES + metaBytes + payloadBytes);
}

export function alignUp(offset: number): number {
  return Math.ceil(offset / RECORD_ALIGNMENT_BYTES) * RECORD_ALIGNMENT_BYTES;
}

/** The salt of a store's checksums. */
export function saltOf(storeId: string): bigint {
  return library.h64(storeId);
}

/** Header and description in one buffer; the payload and the padding follow them in the log. */
export function encodeRecord(header: Omit<RecordHeader, 'metaBytes'>, meta: Uint8Array, salt: bigint): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + meta.length);
  RECORD_MAGIC.copy(bytes, 0);
  bytes.writeUInt32LE(header.kind === 'version' ? VERSION_KIND : TOMBSTONES_KIND, 8);
  bytes.writeUInt32LE(meta.length, 12);
  bytes.writeUInt32LE(header.payloadBytes, 16);
  bytes.writeUInt32LE(header.place.segment, 20);
  bytes.writeUInt32LE(header.place.offset, 24);
  writeBlockKey(bytes, 32, header.key);
  bytes.set(meta, HEADER_BYTES);
  bytes.writeBigUInt64LE(checksum(bytes, salt), CHECKSUM_AT);
  return bytes;
}

/** The header of a record without content, which takes `sizeBytes` of the log: at least HEADER_BYTES. */
export function encodeFiller(place: Place, sizeBytes: number, salt: bigint): Buffer {
  return encodeRecord(
    { kind: 'tombstones', key: NO_KEY, place, payloadBytes: sizeBytes - HEADER_BYTES },
    NO_META,
    salt,
  );
}

/**
 * The length of the description that a header claims: so many bytes must be loaded before the checksum can be verified.
 * undefined when a length in the header is out of bounds, which is damage.
 */
export function claimedMetaBytes(bytes: Buffer): number | undefined {
  if (bytes.length < HEADER_BYTES || !bytes.subarray(0, RECORD_MAGIC.length).equals(RECORD_MAGIC)) return undefined;
  const metaBytes = bytes.readUInt32LE(12);
  if (metaBytes > MAXIMUM_META_BYTES || bytes.readUInt32LE(16) > MAXIMUM_BLOCK_BYTES) return undefined;
  return metaBytes;
}

/** Header and description from exactly their bytes; undefined when the checksum, the place or the kind is wrong. */
export function decodeRecord(bytes: Buffer, place: Place, salt: bigint): RecordHeader | undefined {
  const metaBytes = claimedMetaBytes(bytes);
  if (metaBytes === undefined || bytes.length !== HEADER_BYTES + metaBytes) return undefined;
  if (bytes.readBigUInt64LE(CHECKSUM_AT) !== checksum(bytes, salt)) return undefined;
  if (bytes.readUInt32LE(20) !== place.segment || bytes.readUInt32LE(24) !== place.offset) return undefined;
  const kind = bytes.readUInt32LE(8);
  if (kind !== VERSION_KIND && kind !== TOMBSTONES_KIND) return undefined;
  return {
    kind: kind === VERSION_KIND ? 'version' : 'tombstones',
    key: readBlockKey(bytes, 32),
    place,
    metaBytes,
    payloadBytes: bytes.readUInt32LE(16),
  };
}

export function encodeTombstones(tombstones: readonly Tombstone[]): Buffer {
  const bytes = Buffer.alloc(tombstones.length * TOMBSTONE_BYTES);
  let at = 0;
  for (const { key, firstSegment, last } of tombstones) {
    writeBlockKey(bytes, at, key);
    bytes.writeUInt32LE(firstSegment, at + BLOCK_KEY_BYTES);
    bytes.writeUInt32LE(last.segment, at + BLOCK_KEY_BYTES + 4);
    bytes.writeUInt32LE(last.offset, at + BLOCK_KEY_BYTES + 8);
    at += TOMBSTONE_BYTES;
  }
  return bytes;
}

export function decodeTombstones(meta: Buffer): Tombstone[] {
  const tombstones: Tombstone[] = [];
  for (let at = 0; at + TOMBSTONE_BYTES <= meta.length; at += TOMBSTONE_BYTES) {
    tombstones.push({
      key: readBlockKey(meta, at),
      firstSegment: meta.readUInt32LE(at + BLOCK_KEY_BYTES),
      last: {
        segment: meta.readUInt32LE(at + BLOCK_KEY_BYTES + 4),
        offset: meta.readUInt32LE(at + BLOCK_KEY_BYTES + 8),
      },
    });
  }
  return tombstones;
}

/** The checksum of the description, salted with the checksum of the header's other fields. */
function checksum(bytes: Buffer, salt: bigint): bigint {
  return saltedChecksum(bytes.subarray(HEADER_BYTES), saltedChecksum(bytes.subarray(0, CHECKSUM_AT), salt));
}
