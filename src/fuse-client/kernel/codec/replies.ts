// Typed answers to bytes for /dev/fuse. Pure. A reply is a list of chunks, so
// that data that was read goes out behind its header without being copied.
import { Buffer } from 'node:buffer';
import type { Attributes, DirectoryEntry, FileName, FileSystemSpace } from '../../../protocol/services/files.js';
import { MAXIMUM_NAME_BYTES } from '../../../protocol/services/files.js';
import type { FileLock } from '../../../protocol/services/sessions.js';
import { modeOf } from '../../posix/file-modes.js';
import {
  ACL_FLAGS,
  HighInitFlag,
  InitFlag,
  LockCode,
  MAXIMUM_PAGES,
  MAXIMUM_WRITE_BYTES,
  NotifyCode,
  OUT_HEADER_BYTES,
  PROTOCOL_MAJOR,
  PROTOCOL_MINOR,
} from './layout.js';

/** What follows the header of a reply. */
export type ReplyBody = readonly Uint8Array[];

export const EMPTY_REPLY: ReplyBody = [];

const ATTRIBUTES_BYTES = 88;
const ENTRY_BYTES = 40 + ATTRIBUTES_BYTES;
const DIRENT_BYTES = 24;

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

export interface InitReply {
  minor: number;
  maximumReadaheadBytes: number;
  /** Those that the kernel offered. */
  offeredFlags: number;
  offeredHighFlags: number;
  /** Locks are asked of us; else the kernel keeps them for this mount alone. */
  locks: boolean;
}

const WANTED_FLAGS =
  InitFlag.ASYNC_READ |
  InitFlag.ATOMIC_O_TRUNC |
  InitFlag.EXPORT_SUPPORT |
  InitFlag.BIG_WRITES |
  InitFlag.AUTO_INVAL_DATA |
  InitFlag.DO_READDIRPLUS |
  InitFlag.READDIRPLUS_AUTO |
  InitFlag.ASYNC_DIO |
  InitFlag.PARALLEL_DIROPS |
  InitFlag.MAX_PAGES |
  InitFlag.CACHE_SYMLINKS |
  InitFlag.HANDLE_KILLPRIV_V2 |
  InitFlag.INIT_EXT;

/** Requests that the kernel keeps in flight without a program waiting for each (read-ahead, asynchronous direct I/O). */
const MAXIMUM_BACKGROUND = 64;

const LOCK_FLAGS = InitFlag.POSIX_LOCKS | InitFlag.FLOCK_LOCKS;

export function encodeInit(greeting: InitReply): ReplyBody {
  const { minor, maximumReadaheadBytes, offeredFlags, offeredHighFlags, locks } = greeting;
  const wanted = WANTED_FLAGS | (locks ? LOCK_FLAGS : 0) | (offersLists(offeredFlags) ? ACL_FLAGS : 0);
  const body = Buffer.alloc(64);
  body.writeUInt32LE(PROTOCOL_MAJOR, 0);
  body.writeUInt32LE(Math.min(minor, PROTOCOL_MINOR), 4);
  body.writeUInt32LE(Math.max(maximumReadaheadBytes, MAXIMUM_WRITE_BYTES), 8);
  body.writeUInt32LE((wanted & offeredFlags) >>> 0, 12);
  body.writeUInt16LE(MAXIMUM_BACKGROUND, 16);
  body.writeUInt16LE((MAXIMUM_BACKGROUND * 3) / 4, 18);
  body.writeUInt32LE(MAXIMUM_WRITE_BYTES, 20);
  body.writeUInt32LE(1, 24); // times are exact to the nanosecond
  body.writeUInt16LE(MAXIMUM_PAGES, 28);
  body.writeUInt32LE(HighInitFlag.DIRECT_IO_ALLOW_MMAP & offeredHighFlags, 32);
  return [body];
}

/** Whether access control lists are agreed on with a kernel that offers these flags. */
export function offersLists(offeredFlags: number): boolean {
  return (offeredFlags & ACL_FLAGS) === ACL_FLAGS;
}

/** Only the protocol's major version: the kernel sends another INIT with it. */
export function encodeInitOtherMajor(): ReplyBody {
  const body = Buffer.alloc(64);
  body.writeUInt32LE(PROTOCOL_MAJOR, 0);
  body.writeUInt32LE(PROTOCOL_MINOR, 4);
  return [body];
}

/** A name's inode and attributes; both may be kept by the kernel for `validMs`. */
export function encodeEntry(attributes: Attributes, validMs: number): Buffer {
  const body = Buffer.allocUnsafe(ENTRY_BYTES);
  writeEntry(body, 0, attributes, validMs);
  return body;
}

export function encodeAttributes(attributes: Attributes, validMs: number): ReplyBody {
  const body = Buffer.allocUnsafe(16 + ATTRIBUTES_BYTES);
  writeWhole(body, Math.floor(validMs / 1000), 0);
  body.writeUInt32LE((validMs % 1000) * 1_000_000, 8);
  body.writeUInt32LE(0, 12);
  writeAttributes(body, 16, attributes);
  return [body];
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

/**
 * Entries from the start of `entries`, as many as fit into `limitBytes`; with attributes (those an entry has) when
 * `validMs` is given. `entered` are those that the kernel counts a lookup for.
 */
export function encodeDirectory(
  entries: readonly DirectoryEntry[],
  limitBytes: number,
  validMs?: number,
): { body: ReplyBody; entered: { name: FileName; attributes: Attributes }[] } {
  const body = Buffer.allocUnsafe(limitBytes);
  const entered: { name: FileName; attributes: Attributes }[] = [];
  const direntAt = validMs === undefined ? 0 : ENTRY_BYTES;
  let at = 0;
  for (const entry of entries) {
    const length = align8(direntAt + DIRENT_BYTES + entry.name.length);
    if (at + length > limitBytes) break;
    body.fill(0, at, at + length);
    if (validMs !== undefined && entry.attributes !== undefined) {
      writeEntry(body, at, entry.attributes, validMs);
      entered.push({ name: entry.name, attributes: entry.attributes });
    }
    const dirent = at + direntAt;
    writeWhole(body, entry.inode, dirent);
    writeWhole(body, entry.cookie, dirent + 8);
    body.writeUInt32LE(entry.name.length, dirent + 16);
    body.writeUInt32LE(modeOf(entry.kind, 0) >>> 12, dirent + 20);
    body.write(entry.name, dirent + DIRENT_BYTES, 'latin1');
    at += length;
  }
  return { body: [body.subarray(0, at)], entered };
}

/** A whole message: forget what is cached of an inode, its attributes only or its pages from `offset` to the end too. */
export function encodeInvalidation(inode: number, what: 'attributes' | 'content'): Uint8Array[] {
  const message = Buffer.alloc(OUT_HEADER_BYTES + 24);
  message.writeUInt32LE(message.length, 0);
  message.writeInt32LE(NotifyCode.INVALIDATE_INODE, 4);
  writeWhole(message, inode, 16);
  message.writeBigInt64LE(what === 'attributes' ? -1n : 0n, 24);
  return [message];
}

/** A whole message: forget what a name stands for. */
export function encodeNameInvalidation(parent: number, name: FileName): Uint8Array[] {
  const message = Buffer.alloc(OUT_HEADER_BYTES + 16 + name.length + 1);
  message.writeUInt32LE(message.length, 0);
  message.writeInt32LE(NotifyCode.INVALIDATE_ENTRY, 4);
  writeWhole(message, parent, 16);
  message.writeUInt32LE(name.length, 24);
  message.write(name, 32, 'latin1');
  return [message];
}

/** A whole message: forget what all names stand for. Kernels understand it from EPOCH_PROTOCOL_MINOR on. */
export function encodeAllNamesInvalidation(): Uint8Array[] {
  const message = Buffer.alloc(OUT_HEADER_BYTES);
  message.writeUInt32LE(message.length, 0);
  message.writeInt32LE(NotifyCode.INCREASE_EPOCH, 4);
  return [message];
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

function writeEntry(target: Buffer, at: number, attributes: Attributes, validMs: number): void {
  const seconds = Math.floor(validMs / 1000);
  const nanoseconds = (validMs % 1000) * 1_000_000;
  writeWhole(target, attributes.inode, at);
  writeWhole(target, 0, at + 8);
  writeWhole(target, seconds, at + 16);
  writeWhole(target, seconds, at + 24);
  target.writeUInt32LE(nanoseconds, at + 32);
  target.writeUInt32LE(nanoseconds, at + 36);
  writeAttributes(target, at + 40, attributes);
}

function writeAttributes(target: Buffer, at: number, attributes: Attributes): void {
  writeWhole(target, attributes.inode, at);
  writeWhole(target, attributes.sizeBytes, at + 8);
  writeWhole(target, Math.ceil(attributes.allocatedBytes / 512), at + 16);
  writeTime(target, attributes.accessTimeNs, at + 24, at + 48);
  writeTime(target, attributes.modifyTimeNs, at + 32, at + 52);
  writeTime(target, attributes.changeTimeNs, at + 40, at + 56);
  target.writeUInt32LE(modeOf(attributes.kind, attributes.mode), at + 60);
  target.writeUInt32LE(attributes.links, at + 64);
  target.writeUInt32LE(attributes.uid, at + 68);
  target.writeUInt32LE(attributes.gid, at + 72);
  target.writeUInt32LE(attributes.device, at + 76);
  target.writeUInt32LE(attributes.blockSizeBytes, at + 80);
  target.writeUInt32LE(0, at + 84);
}

function writeTime(target: Buffer, timeNs: bigint, secondsAt: number, nanosecondsAt: number): void {
  let seconds = timeNs / 1_000_000_000n;
  let nanoseconds = Number(timeNs % 1_000_000_000n);
  if (nanoseconds < 0) {
    seconds -= 1n;
    nanoseconds += 1_000_000_000;
  }
  target.writeBigInt64LE(seconds, secondsAt);
  target.writeUInt32LE(nanoseconds, nanosecondsAt);
}

function writeWhole(target: Buffer, value: number, at: number): void {
  target.writeUInt32LE(value % 0x1_0000_0000, at);
  target.writeUInt32LE(Math.floor(value / 0x1_0000_0000), at + 4);
}

function align8(length: number): number {
  return (length + 7) & ~7;
}
