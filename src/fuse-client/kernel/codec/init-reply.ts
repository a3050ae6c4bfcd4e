// The answer to INIT: what the kernel and this mount agree on. Pure.
import { Buffer } from 'node:buffer';
import {
  ACL_FLAGS,
  HighInitFlag,
  InitFlag,
  MAXIMUM_PAGES,
  MAXIMUM_WRITE_BYTES,
  PROTOCOL_MAJOR,
  PROTOCOL_MINOR,
} from './layout.js';
import type { ReplyBody } from './replies.js';

export interface InitReply {
  minor: number;
  maximumReadaheadBytes: number;
  /** What the kernel offers. */
  offeredFlags: number;
  offeredHighFlags: number;
  /** The kernel asks the mount for locks; else it keeps them itself, for this mount alone. */
  locks: boolean;
}

/**
 * READDIRPLUS without READDIRPLUS_AUTO: programs such as find and du read a whole directory before they look at its files, and the kernel
 * would have asked for attributes in the first part only. Looking at 10,000 files then took nine times as much processor time; a bare
 * listing takes three times as much with them, which is still a tenth of that.
 */
const WANTED_FLAGS =
  InitFlag.ASYNC_READ |
  InitFlag.ATOMIC_O_TRUNC |
  InitFlag.EXPORT_SUPPORT |
  InitFlag.BIG_WRITES |
  InitFlag.AUTO_INVAL_DATA |
  InitFlag.DO_READDIRPLUS |
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

/** Whether a kernel that offers these flags obeys access control lists. */
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
