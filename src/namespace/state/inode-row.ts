// An inode as a row of the metaserver's table, and as clients see it.
import { Buffer } from 'node:buffer';
import type { Attributes, FileKind } from '../../protocol/services/files.js';
import type { InodeState } from '../../protocol/services/metadata.js';
import { byteOfKind, expectBytes, kindAt, readNumber, writeNumber } from './numbers.js';

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
  state: InodeState;
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

const STATES: readonly InodeState[] = ['named', 'purging', 'unnamed'];
const INODE_BYTES = 130;

export function encodeInode(row: InodeRow): Buffer {
  const bytes = Buffer.allocUnsafe(INODE_BYTES + row.target.length);
  bytes[0] = byteOfKind(row.kind);
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

/** The low 64 bits stand at `position`. Times before 1677 or after 2262 need more: 32 higher bits stand at `beyondAt`. */
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
