// Typed answers to bytes for /dev/fuse. Pure. A reply is a list of chunks, so
// that data that was read goes out behind its header without being copied.
import { Buffer } from 'node:buffer';
import { type FileSystemSpace, MAXIMUM_NAME_BYTES } from '../../../protocol/services/files.js';
import type { FileLock } from '../../../protocol/services/sessions.js';
import { LockCode, OUT_HEADER_BYTES } from './layout.js';
import { writeWhole } from './whole-numbers.js';

/** What follows the header of a reply. */
export type ReplyBody = readonly Uint8Array[];

export const EMPTY_REPLY: ReplyBody = [];

/** Header and body of a reply that succeeded; `unique` names the request. */
export function encodeReply(unique: number, body: ReplyBody): Uint8Array[] {
  let length = OUT_HEADER_BYTES;
  for (const chunk of body) length += chunk.length;
  return [encodeHeader(unique, 0, length), ...body];
}

/** `errorNumber` is positive, as in errno.h. */
export function encodeError(unique: number, errorNumber: number): Uint8Array[] {
  return [encodeHeader(unique, -errorNumber, OUT_HEADER_BYTES)];
}

function encodeHeader(unique: number, error: number, length: number): Buffer {
  const header = Buffer.allocUnsafe(OUT_HEADER_BYTES);
  header.writeUInt32LE(length, 0);
  header.writeInt32LE(error, 4);
  writeWhole(header, unique, 8);
  return header;
}

export function encodeOpen(handle: number, openFlags: number): Buffer {
  const body = Buffer.allocUnsafe(16);
  writeWhole(body, handle, 0);
  body.writeUInt32LE(openFlags, 8);
  body.writeUInt32LE(0, 12);
  return body;
}

/** Answers WRITE, and GETXATTR and LISTXATTR that only ask for the size. */
export function encodeSize(sizeBytes: number): ReplyBody {
  const body = Buffer.alloc(8);
  body.writeUInt32LE(sizeBytes, 0);
  return [body];
}

/** Answers LSEEK. */
export function encodeOffset(offset: number): ReplyBody {
  const body = Buffer.allocUnsafe(8);
  writeWhole(body, offset, 0);
  return [body];
}

export function encodeStatfs(space: FileSystemSpace): ReplyBody {
  const body = Buffer.alloc(80);
  const blocks = (bytes: number) => Math.floor(bytes / space.blockSizeBytes);
  writeWhole(body, blocks(space.totalBytes), 0);
  writeWhole(body, blocks(space.freeBytes), 8);
  writeWhole(body, blocks(space.freeBytes), 16);
  // Inodes are only bounded by space: as many are free as blocks.
  writeWhole(body, space.files + blocks(space.freeBytes), 24);
  writeWhole(body, blocks(space.freeBytes), 32);
  body.writeUInt32LE(space.blockSizeBytes, 40);
  body.writeUInt32LE(MAXIMUM_NAME_BYTES, 44);
  body.writeUInt32LE(space.blockSizeBytes, 48);
  return [body];
}

/** Answers GETLK: the lock in the way, or that there is none. */
export function encodeLock(lock: FileLock | null): ReplyBody {
  const body = Buffer.alloc(24);
  if (lock === null) {
    body.writeUInt32LE(LockCode.UNLOCK, 16);
    return [body];
  }
  body.writeBigUInt64LE(lock.start, 0);
  body.writeBigUInt64LE(lock.end, 8);
  body.writeUInt32LE(lock.type === 'read' ? LockCode.READ : LockCode.WRITE, 16);
  body.writeUInt32LE(lock.pid, 20);
  return [body];
}
