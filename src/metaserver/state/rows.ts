// Rows of the metaserver's tables as bytes, big-endian. Equal rows have equal
// bytes, so that two replicas of the state can be compared.
import { Buffer } from 'node:buffer';
import type { Version } from '../../protocol/services/blocks.js';
import type { Attributes, FileKind } from '../../protocol/services/files.js';
import type { GarbageEntry } from '../../protocol/services/metadata.js';
import type { Hash } from '../../protocol/values/hash.js';

/** An inode. Fields that its kind has no use for are 0 or empty. */
export interface InodeRow {
  inode: number;
  kind: FileKind;
  mode: number;
  links: number;
  uid: number;
  gid: number;
  sizeBytes: number;
  allocatedBytes: number;
  accessTimeNs: bigint;
  modifyTimeNs: bigint;
  changeTimeNs: bigint;
  device: number;
  blockSizeBytes: number;
  revision: number;
  /**
   * named: it has a name, or is held open without one. unnamed: it never had one, and may still get one. purging: it is
   * being taken apart and counts as gone.
   */
  state: (typeof STATES)[number];
  /** Directories: where `..` leads. */
  parent: number;
  /** Directories: number of entries. Files: number of blocks in the block map. */
  children: number;
  /** Directories: the cookie of the next new entry. */
  nextCookie: number;
  /** Number of extended attributes. */
  xattrs: number;
  /** Symbolic links: one character per byte. */
  target: string;
}

export interface EntryRow {
  inode: number;
  kind: FileKind;
  cookie: number;
}

export interface CookieRow {
  inode: number;
  kind: FileKind;
  name: string;
}

export interface BlockRow {
  version: Version;
  hash: Hash;
  length: number;
}

/** Numbers of the whole state. */
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

const KINDS: readonly FileKind[] = ['file', 'directory', 'symlink', 'fifo', 'socket', 'character', 'block'];
const STATES = ['named', 'purging', 'unnamed'] as const;
const INODE_BYTES = 130;

export function encodeInode(row: InodeRow): Buffer {
  const bytes = Buffer.allocUnsafe(INODE_BYTES + row.target.length);
  bytes[0] = KINDS.indexOf(row.kind);
  bytes[1] = STATES.indexOf(row.state);
  bytes.writeUInt16BE(row.mode, 2);
  bytes.writeUInt32BE(row.links, 4);
  bytes.writeUInt32BE(row.uid, 8);
  bytes.writeUInt32BE(row.gid, 12);
  bytes.writeUInt32BE(row.blockSizeBytes, 16);
  writeNumber(bytes, row.sizeBytes, 20);
  writeNumber(bytes, row.allocatedBytes, 28);
  writeNumber(bytes, row.device, 60);
  writeNumber(bytes, row.revision, 68);
  writeNumber(bytes, row.parent, 76);
  writeNumber(bytes, row.children, 84);
  writeNumber(bytes, row.nextCookie, 92);
  writeNumber(bytes, row.xattrs, 100);
  writeNumber(bytes, row.inode, 108);
  // Room for fields of later versions.
  bytes.fill(0, 128, INODE_BYTES);
  writeTime(bytes, row.accessTimeNs, 36, 116);
  writeTime(bytes, row.modifyTimeNs, 44, 120);
  writeTime(bytes, row.changeTimeNs, 52, 124);
  if (row.target.length > 0) bytes.write(row.target, INODE_BYTES, 'latin1');
  return bytes;
}

export function decodeInode(value: Uint8Array): InodeRow {
  const bytes = expectBytes(value, INODE_BYTES);
  return {
    inode: readNumber(bytes, 108),
    kind: kindAt(bytes, 0),
    mode: bytes.readUInt16BE(2),
    links: bytes.readUInt32BE(4),
    uid: bytes.readUInt32BE(8),
    gid: bytes.readUInt32BE(12),
    sizeBytes: readNumber(bytes, 20),
    allocatedBytes: readNumber(bytes, 28),
    accessTimeNs: readTime(bytes, 36, 116),
    modifyTimeNs: readTime(bytes, 44, 120),
    changeTimeNs: readTime(bytes, 52, 124),
    device: readNumber(bytes, 60),
    blockSizeBytes: bytes.readUInt32BE(16),
    revision: readNumber(bytes, 68),
    state: STATES[bytes[1] ?? 0] ?? 'named',
    parent: readNumber(bytes, 76),
    children: readNumber(bytes, 84),
    nextCookie: readNumber(bytes, 92),
    xattrs: readNumber(bytes, 100),
    target: bytes.length === INODE_BYTES ? '' : bytes.toString('latin1', INODE_BYTES),
  };
}

export function attributesOf(row: InodeRow): Attributes {
  return {
    inode: row.inode,
    kind: row.kind,
    mode: row.mode,
    links: row.links,
    uid: row.uid,
    gid: row.gid,
    sizeBytes: row.sizeBytes,
    allocatedBytes: row.allocatedBytes,
    accessTimeNs: row.accessTimeNs,
    modifyTimeNs: row.modifyTimeNs,
    changeTimeNs: row.changeTimeNs,
    device: row.device,
    blockSizeBytes: row.blockSizeBytes,
    extendedAttributes: row.xattrs,
    revision: row.revision,
  };
}

export function encodeEntry(row: EntryRow): Buffer {
  const bytes = Buffer.allocUnsafe(17);
  bytes[0] = KINDS.indexOf(row.kind);
  writeNumber(bytes, row.inode, 1);
  writeNumber(bytes, row.cookie, 9);
  return bytes;
}

export function decodeEntry(value: Uint8Array): EntryRow {
  const bytes = expectBytes(value, 17);
  return { kind: kindAt(bytes, 0), inode: readNumber(bytes, 1), cookie: readNumber(bytes, 9) };
}

export function encodeCookie(row: CookieRow): Buffer {
  const bytes = Buffer.allocUnsafe(9 + row.name.length);
  bytes[0] = KINDS.indexOf(row.kind);
  writeNumber(bytes, row.inode, 1);
  bytes.write(row.name, 9, 'latin1');
  return bytes;
}

export function decodeCookie(value: Uint8Array): CookieRow {
  const bytes = expectBytes(value, 10);
  return { kind: kindAt(bytes, 0), inode: readNumber(bytes, 1), name: bytes.toString('latin1', 9) };
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
    // A store from before has no such number.
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

export function encodeNumbers(values: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(8 * values.length);
  values.forEach((value, position) => {
    writeNumber(bytes, value, 8 * position);
  });
  return bytes;
}

export function decodeNumbers(value: Uint8Array, count: number): number[] {
  const bytes = expectBytes(value, 8 * count);
  return Array.from({ length: count }, (_, position) => readNumber(bytes, 8 * position));
}

/** 8 bytes, big-endian, of a whole number from 0 to 2^53 - 1. */
export function writeNumber(bytes: Buffer, value: number, position: number): void {
  bytes.writeUInt32BE(Math.floor(value / 0x1_0000_0000), position);
  bytes.writeUInt32BE(value >>> 0, position + 4);
}

export function readNumber(bytes: Buffer, position: number): number {
  return bytes.readUInt32BE(position) * 0x1_0000_0000 + bytes.readUInt32BE(position + 4);
}

/** 64 bits say it from 1677 to 2262; beyond, so many times 2^64 are to be added, which stand elsewhere in 32 bits. */
function writeTime(bytes: Buffer, timeNs: bigint, position: number, beyondAt: number): void {
  const low = BigInt.asIntN(64, timeNs);
  bytes.writeBigInt64BE(low, position);
  bytes.writeInt32BE(low === timeNs ? 0 : Number((timeNs - low) >> 64n), beyondAt);
}

function readTime(bytes: Buffer, position: number, beyondAt: number): bigint {
  const low = bytes.readBigInt64BE(position);
  const beyond = bytes.readInt32BE(beyondAt);
  return beyond === 0 ? low : low + (BigInt(beyond) << 64n);
}

function kindAt(bytes: Buffer, position: number): FileKind {
  const kind = KINDS[bytes[position] ?? KINDS.length];
  if (kind === undefined) throw new Error(`a row names a kind of file that does not exist: ${bytes[position]}`);
  return kind;
}

function expectBytes(value: Uint8Array, minimum: number): Buffer {
  if (value.length < minimum) throw new Error(`a row has ${value.length} bytes where ${minimum} were expected`);
  return Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}
