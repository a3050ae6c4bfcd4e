// Requests as the kernel would send them, for tests that have no mount.
import { IN_HEADER_BYTES } from '../../../src/fuse-client/kernel/codec/layout.js';

/** The caller of every request. */
export const PROCESS_ID = 77;

export interface RequestParts {
  opcode: number;
  unique?: number;
  inode?: number;
  uid?: number;
  gid?: number;
}

/** A whole request: header and the given pieces of its arguments, in order. */
export function requestBytes(
  { opcode, unique = 2, inode = 1, uid = 0, gid = 0 }: RequestParts,
  ...pieces: Buffer[]
): Buffer {
  const body = Buffer.concat(pieces);
  const bytes = Buffer.alloc(IN_HEADER_BYTES + body.length);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt32LE(opcode, 4);
  bytes.writeBigUInt64LE(BigInt(unique), 8);
  bytes.writeBigUInt64LE(BigInt(inode), 16);
  bytes.writeUInt32LE(uid, 24);
  bytes.writeUInt32LE(gid, 28);
  bytes.writeUInt32LE(PROCESS_ID, 32);
  body.copy(bytes, IN_HEADER_BYTES);
  return bytes;
}

export function u32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, index) => {
    bytes.writeUInt32LE(value >>> 0, index * 4);
  });
  return bytes;
}

export function u64(...values: (number | bigint)[]): Buffer {
  const bytes = Buffer.alloc(values.length * 8);
  values.forEach((value, index) => {
    bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), index * 8);
  });
  return bytes;
}

/** A string with its NUL; one character per byte. */
export function text(value: string): Buffer {
  return Buffer.from(`${value}\0`, 'latin1');
}
