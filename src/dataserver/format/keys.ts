// Keys of the index, as bytes whose order is the order of inode, index and
// version. The first byte says what kind of row it is.
import { Buffer } from 'node:buffer';
import type { BlockKey } from '../../protocol/services/blocks.js';

const STATE_PREFIX = 0;
const SEGMENT_PREFIX = 1;
const VERSION_PREFIX = 2;

/** The bytes of a block key in records and, behind a prefix byte, in the index. */
export const BLOCK_KEY_BYTES = 24;

const TWO_TO_32 = 2 ** 32;

/** The row of the checkpoint. */
export const CHECKPOINT_KEY = Buffer.from([STATE_PREFIX]);

/** Writes inode, index and version, 8 bytes each, big-endian. */
export function writeBlockKey(target: Buffer, at: number, key: BlockKey): void {
  writeNumber(target, at, key.inode);
  writeNumber(target, at + 8, key.index);
  writeNumber(target, at + 16, key.version);
}

/** Reads what `writeBlockKey` wrote; numbers beyond 2^53 (damage) come out inexact. */
export function readBlockKey(source: Buffer, at: number): BlockKey {
  return {
    inode: readNumber(source, at),
    index: readNumber(source, at + 8),
    version: readNumber(source, at + 16),
  };
}

export function versionKey(key: BlockKey): Buffer {
  const bytes = Buffer.allocUnsafe(1 + BLOCK_KEY_BYTES);
  bytes[0] = VERSION_PREFIX;
  writeBlockKey(bytes, 1, key);
  return bytes;
}

export function keyOfVersion(bytes: Buffer): BlockKey {
  return readBlockKey(bytes, 1);
}

/** From the first possible version of the block to behind its last. */
export function versionsOfBlock(inode: number, index: number): { from: Buffer; to: Buffer } {
  return {
    from: versionKey({ inode, index, version: 0 }),
    to: versionKey({ inode, index, version: Number.MAX_SAFE_INTEGER + 1 }),
  };
}

/** From behind `after` (or the start) to behind the last version of all. */
export function versionsAfter(after: BlockKey | undefined): { from: Buffer; to: Buffer } {
  const from =
    after === undefined ? Buffer.from([VERSION_PREFIX]) : versionKey({ ...after, version: after.version + 1 });
  return { from, to: Buffer.from([VERSION_PREFIX + 1]) };
}

export function segmentKey(segment: number): Buffer {
  const bytes = Buffer.allocUnsafe(5);
  bytes[0] = SEGMENT_PREFIX;
  bytes.writeUInt32BE(segment, 1);
  return bytes;
}

export function segmentOfKey(bytes: Buffer): number {
  return bytes.readUInt32BE(1);
}

export function allSegments(): { from: Buffer; to: Buffer } {
  return { from: Buffer.from([SEGMENT_PREFIX]), to: Buffer.from([SEGMENT_PREFIX + 1]) };
}

/** Names a block, for maps and sets. */
export function blockName(inode: number, index: number): string {
  return `${inode}/${index}`;
}

function writeNumber(target: Buffer, at: number, value: number): void {
  target.writeUInt32BE(Math.floor(value / TWO_TO_32), at);
  target.writeUInt32BE(value % TWO_TO_32, at + 4);
}

function readNumber(source: Buffer, at: number): number {
  return source.readUInt32BE(at) * TWO_TO_32 + source.readUInt32BE(at + 4);
}
