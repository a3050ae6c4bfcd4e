// Blocks as rows: what a block map names, and garbage, the versions that no
// block map names any more.
import { Buffer } from 'node:buffer';
import type { Version } from '../../protocol/services/blocks.js';
import type { GarbageEntry } from '../../protocol/services/metadata.js';
import type { Hash } from '../../protocol/values/hash.js';
import { decodeNumbers, encodeNumbers, expectBytes, readNumber, writeNumber } from './numbers.js';

export interface BlockRow {
  version: Version;
  hash: Hash;
  length: number;
}

export function encodeBlock(row: BlockRow): Buffer {
  const bytes = Buffer.allocUnsafe(20);
  writeNumber(bytes, row.version, 0);
  bytes.writeBigUInt64BE(row.hash, 8);
  bytes.writeUInt32BE(row.length, 16);
  return bytes;
}

export function decodeBlock(value: Uint8Array): BlockRow {
  const bytes = expectBytes(value, 20);
  return { version: readNumber(bytes, 0), hash: bytes.readBigUInt64BE(8), length: bytes.readUInt32BE(16) };
}

export function encodeGarbage(row: Omit<GarbageEntry, 'sequence'>): Buffer {
  return encodeNumbers([row.inode, row.index, row.version]);
}

export function decodeGarbage(value: Uint8Array): Omit<GarbageEntry, 'sequence'> {
  const [inode, index, version] = decodeNumbers(value, 3);
  return { inode: inode ?? 0, index: index ?? 0, version: version ?? 0 };
}
