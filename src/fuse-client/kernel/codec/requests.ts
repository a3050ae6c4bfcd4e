// Bytes from /dev/fuse to typed requests. Pure: no device, no state. A request
// that does not fit its layout throws MalformedRequest; nothing is guessed.
import { Buffer } from 'node:buffer';
import type { FileName } from '../../../protocol/services/files.js';
import type { LockKind, LockType } from '../../../protocol/services/sessions.js';
import {
  IN_HEADER_BYTES,
  InitFlag,
  LOCK_IS_FLOCK,
  OPEN_KILL_SUIDGID,
  Opcode,
  SETXATTR_KILL_SETGID,
  Whence,
} from './layout.js';

export interface RequestHeader {
  opcode: number;
  unique: number;
  inode: number;
  uid: number;
  gid: number;
  pid: number;
}

/** `unique` is there when the header could be read, so that the kernel can be answered. */
export class MalformedRequest extends Error {
  override readonly name = 'MalformedRequest';
}

/** The header and where the arguments are. Throws MalformedRequest when `bytes` is not one whole request. */
export function parseHeader(bytes: Buffer): RequestHeader {
  if (bytes.length < IN_HEADER_BYTES) throw new MalformedRequest(`${bytes.length} bytes are less than a header`);
  const length = bytes.readUInt32LE(0);
  if (length !== bytes.length) throw new MalformedRequest(`says ${length} bytes, has ${bytes.length}`);
  return {
    opcode: bytes.readUInt32LE(4),
    unique: readWhole(bytes, 8),
    inode: readWhole(bytes, 16),
    uid: bytes.readUInt32LE(24),
    gid: bytes.readUInt32LE(28),
    pid: bytes.readUInt32LE(32),
  };
}

export interface SetattrArguments {
  valid: number;
  handle: number;
  sizeBytes: number;
  accessTimeNs: bigint;
  modifyTimeNs: bigint;
  mode: number;
  uid: number;
  gid: number;
}

export interface LockArguments {
  /** Through which it is set or asked for. */
  handle: number;
  lockKind: LockKind;
  owner: bigint;
  start: bigint;
  end: bigint;
  /** null: unlock. */
  type: LockType | null;
  pid: number;
}

interface Place {
  handle: number;
  offset: number;
}

export type Arguments =
  | { kind: 'lookup' | 'unlink' | 'rmdir' | 'removexattr'; name: FileName }
  | { kind: 'forget'; forgets: { inode: number; count: number }[] }
  | { kind: 'getattr' }
  | { kind: 'readlink' }
  | { kind: 'statfs' }
  | { kind: 'destroy' }
  | ({ kind: 'setattr' } & SetattrArguments)
  | { kind: 'symlink'; name: FileName; target: string }
  | { kind: 'mknod'; name: FileName; mode: number; umask: number; device: number }
  | { kind: 'mkdir'; name: FileName; mode: number; umask: number }
  | { kind: 'rename'; name: FileName; newParent: number; newName: FileName; flags: number }
  | { kind: 'link'; source: number; name: FileName }
  | { kind: 'open' | 'opendir'; flags: number; killPrivileges: boolean }
  | { kind: 'create'; name: FileName; flags: number; mode: number; umask: number; killPrivileges: boolean }
  | { kind: 'tmpfile'; flags: number; mode: number; umask: number }
  | { kind: 'read'; handle: number; offset: number; size: number }
  | { kind: 'readdir' | 'readdirplus'; handle: number; offset: number; size: number }
  | { kind: 'write'; handle: number; offset: number; data: Buffer; writeFlags: number }
  | { kind: 'release' | 'releasedir' | 'fsync' | 'fsyncdir'; handle: number }
  | { kind: 'flush'; handle: number; lockOwner: bigint }
  | ({ kind: 'getlk' } & LockArguments)
  | ({ kind: 'setlk'; wait: boolean } & LockArguments)
  | { kind: 'fallocate'; handle: number; offset: number; length: number; mode: number }
  | { kind: 'seek'; handle: number; offset: number; what: 'data' | 'hole' | 'unknown' }
  | { kind: 'copy'; source: Place; target: Place; length: number; flags: number }
  | { kind: 'setxattr'; name: string; value: Buffer; flags: number; killSetgid: boolean }
  | { kind: 'getxattr'; name: string; size: number }
  | { kind: 'listxattr'; size: number }
  | { kind: 'init'; major: number; minor: number; maximumReadaheadBytes: number; flags: number; highFlags: number }
  | { kind: 'interrupt'; unique: number }
  | { kind: 'refused'; code: 'ENOSYS' };

/** The arguments of a whole request. A write's data is a view into `bytes`; everything else is copied out. */
export function parseArguments(header: RequestHeader, bytes: Buffer, { longSetxattr = false } = {}): Arguments {
  const reader = new Reader(bytes);
  switch (header.opcode) {
    case Opcode.LOOKUP:
      return { kind: 'lookup', name: reader.string() };
    case Opcode.UNLINK:
      return { kind: 'unlink', name: reader.string() };
    case Opcode.RMDIR:
      return { kind: 'rmdir', name: reader.string() };
    case Opcode.REMOVEXATTR:
      return { kind: 'removexattr', name: reader.string() };
    case Opcode.FORGET:
      return { kind: 'forget', forgets: [{ inode: header.inode, count: reader.u64() }] };
    case Opcode.BATCH_FORGET:
      return { kind: 'forget', forgets: parseForgets(reader) };
    case Opcode.GETATTR:
      return { kind: 'getattr' };
    case Opcode.READLINK:
      return { kind: 'readlink' };
    case Opcode.STATFS:
      return { kind: 'statfs' };
    case Opcode.DESTROY:
      return { kind: 'destroy' };
    case Opcode.SETATTR:
      return parseSetattr(reader);
    case Opcode.SYMLINK:
      return { kind: 'symlink', name: reader.string(), target: reader.string() };
    case Opcode.MKNOD: {
      const mode = reader.u32();
      const device = reader.u32();
      const umask = reader.u32();
      reader.pass(4); // padding
      return { kind: 'mknod', name: reader.string(), mode, umask, device };
    }
    case Opcode.MKDIR: {
      const mode = reader.u32();
      const umask = reader.u32();
      return { kind: 'mkdir', name: reader.string(), mode, umask };
    }
    case Opcode.RENAME: {
      const newParent = reader.u64();
      return { kind: 'rename', newParent, flags: 0, name: reader.string(), newName: reader.string() };
    }
    case Opcode.RENAME2: {
      const newParent = reader.u64();
      const flags = reader.u32();
      reader.pass(4); // padding
      return { kind: 'rename', newParent, flags, name: reader.string(), newName: reader.string() };
    }
    case Opcode.LINK: {
      const source = reader.u64();
      return { kind: 'link', source, name: reader.string() };
    }
    case Opcode.OPEN:
      return { kind: 'open', flags: reader.u32(), killPrivileges: (reader.u32() & OPEN_KILL_SUIDGID) !== 0 };
    case Opcode.OPENDIR:
      return { kind: 'opendir', flags: reader.u32(), killPrivileges: false };
    case Opcode.CREATE: {
      const flags = reader.u32();
      const mode = reader.u32();
      const umask = reader.u32();
      const killPrivileges = (reader.u32() & OPEN_KILL_SUIDGID) !== 0;
      return { kind: 'create', flags, mode, umask, killPrivileges, name: reader.string() };
    }
    case Opcode.READ:
      return { kind: 'read', handle: reader.u64(), offset: reader.offset(), size: reader.u32() };
    case Opcode.READDIR:
      return { kind: 'readdir', ...parseRange(reader) };
    case Opcode.READDIRPLUS:
      return { kind: 'readdirplus', ...parseRange(reader) };
    case Opcode.WRITE: {
      const handle = reader.u64();
      const offset = reader.offset();
      const size = reader.u32();
      const writeFlags = reader.u32();
      reader.pass(16); // lock_owner, which only mandatory locks need; the flags of open, which the handle has; padding
      return { kind: 'write', handle, offset, writeFlags, data: reader.bytes(size) };
    }
    case Opcode.RELEASE:
      // Behind it whether it has a flock, and whose: we know that of all locks.
      return { kind: 'release', handle: reader.u64() };
    case Opcode.RELEASEDIR:
      return { kind: 'releasedir', handle: reader.u64() };
    case Opcode.FLUSH: {
      const handle = reader.u64();
      reader.pass(8); // unused, padding
      return { kind: 'flush', handle, lockOwner: reader.big() };
    }
    case Opcode.GETLK:
      return { kind: 'getlk', ...parseLock(reader) };
    case Opcode.SETLK:
    case Opcode.SETLKW:
      return { kind: 'setlk', wait: header.opcode === Opcode.SETLKW, ...parseLock(reader) };
    case Opcode.FSYNC:
      return { kind: 'fsync', handle: reader.u64() };
    case Opcode.FSYNCDIR:
      return { kind: 'fsyncdir', handle: reader.u64() };
    case Opcode.SETXATTR: {
      const size = reader.u32();
      const flags = reader.u32();
      const killSetgid = longSetxattr && (reader.u32() & SETXATTR_KILL_SETGID) !== 0;
      if (longSetxattr) reader.pass(4); // padding
      const name = reader.string();
      return { kind: 'setxattr', name, flags, killSetgid, value: Buffer.from(reader.bytes(size)) };
    }
    case Opcode.GETXATTR: {
      const size = reader.u32();
      reader.pass(4); // padding
      return { kind: 'getxattr', size, name: reader.string() };
    }
    case Opcode.LISTXATTR:
      return { kind: 'listxattr', size: reader.u32() };
    case Opcode.INIT: {
      const [major, minor, maximumReadaheadBytes] = [reader.u32(), reader.u32(), reader.u32()];
      const flags = reader.u32();
      const highFlags = (flags & InitFlag.INIT_EXT) === 0 ? 0 : reader.u32();
      return { kind: 'init', major, minor, maximumReadaheadBytes, flags, highFlags };
    }
    case Opcode.INTERRUPT:
      return { kind: 'interrupt', unique: reader.u64() };
    case Opcode.FALLOCATE: {
      const range = { handle: reader.u64(), offset: reader.offset(), length: reader.offset() };
      return { kind: 'fallocate', ...range, mode: reader.u32() };
    }
    case Opcode.LSEEK: {
      const from = { handle: reader.u64(), offset: reader.offset() };
      return { kind: 'seek', ...from, what: WHENCE.get(reader.u32()) ?? 'unknown' };
    }
    case Opcode.COPY_FILE_RANGE:
    case Opcode.COPY_FILE_RANGE_64: {
      const source = { handle: reader.u64(), offset: reader.offset() };
      reader.pass(8); // the target's inode: its handle says which
      const target = { handle: reader.u64(), offset: reader.offset() };
      return { kind: 'copy', source, target, length: reader.offset(), flags: reader.u64() };
    }
    case Opcode.TMPFILE: {
      // As CREATE; what stands for the name means nothing.
      const flags = reader.u32();
      return { kind: 'tmpfile', flags, mode: reader.u32(), umask: reader.u32() };
    }
    default:
      // The kernel remembers ENOSYS and does without: ACCESS, POLL, STATX and what is yet to come.
      return { kind: 'refused', code: 'ENOSYS' };
  }
}

function parseForgets(reader: Reader): { inode: number; count: number }[] {
  const count = reader.u32();
  reader.pass(4); // padding
  const forgets = [];
  for (let index = 0; index < count; index++) forgets.push({ inode: reader.u64(), count: reader.u64() });
  return forgets;
}

function parseSetattr(reader: Reader): Arguments {
  const valid = reader.u32();
  reader.pass(4); // padding
  const handle = reader.u64();
  const sizeBytes = reader.offset();
  reader.pass(8); // lock_owner, which only mandatory locks need
  const accessSeconds = reader.i64();
  const modifySeconds = reader.i64();
  reader.pass(8); // ctime: every change makes it now
  const accessTimeNs = accessSeconds * 1_000_000_000n + BigInt(reader.u32());
  const modifyTimeNs = modifySeconds * 1_000_000_000n + BigInt(reader.u32());
  reader.pass(4); // ctimensec
  const mode = reader.u32();
  reader.pass(4); // unused
  const uid = reader.u32();
  const gid = reader.u32();
  return { kind: 'setattr', valid, handle, sizeBytes, accessTimeNs, modifyTimeNs, mode, uid, gid };
}

function parseLock(reader: Reader): LockArguments {
  const handle = reader.u64();
  const owner = reader.big();
  const start = reader.big();
  const end = reader.big();
  const code = reader.u32();
  const pid = reader.u32();
  const lockKind = (reader.u32() & LOCK_IS_FLOCK) === 0 ? 'posix' : 'flock';
  const types: readonly (LockType | null | undefined)[] = ['read', 'write', null];
  const type = types[code];
  if (type === undefined) throw new MalformedRequest(`a lock of type ${code}`);
  return { handle, lockKind, owner, start, end, type, pid };
}

const WHENCE: ReadonlyMap<number, 'data' | 'hole'> = new Map([
  [Whence.DATA, 'data'],
  [Whence.HOLE, 'hole'],
]);

function parseRange(reader: Reader): { handle: number; offset: number; size: number } {
  return { handle: reader.u64(), offset: reader.u64(), size: reader.u32() };
}

class Reader {
  #at = IN_HEADER_BYTES;
  readonly #source: Buffer;

  constructor(source: Buffer) {
    this.#source = source;
  }

  u32(): number {
    return this.#source.readUInt32LE(this.#advance(4));
  }

  u64(): number {
    return readWhole(this.#source, this.#advance(8));
  }

  big(): bigint {
    return this.#source.readBigUInt64LE(this.#advance(8));
  }

  /**
   * An offset into a file, or a number of its bytes. What is too large to be exact, or negative, becomes the largest exact
   * number, which is behind the end of every file: it is refused as such, or answered like any place there.
   */
  offset(): number {
    const at = this.#advance(8);
    const value = this.#source.readUInt32LE(at) + this.#source.readUInt32LE(at + 4) * 0x1_0000_0000;
    return Math.min(value, Number.MAX_SAFE_INTEGER);
  }

  i64(): bigint {
    return this.#source.readBigInt64LE(this.#advance(8));
  }

  /** Goes past fields that mean nothing here; each call says which. */
  pass(count: number): void {
    this.#advance(count);
  }

  bytes(count: number): Buffer {
    const start = this.#advance(count);
    return this.#source.subarray(start, start + count);
  }

  /** Up to the next NUL, one character per byte; never empty. */
  string(): string {
    const end = this.#source.indexOf(0, this.#at);
    if (end < 0) throw new MalformedRequest('a string without its end');
    if (end === this.#at) throw new MalformedRequest('an empty string');
    const text = this.#source.toString('latin1', this.#at, end);
    this.#at = end + 1;
    return text;
  }

  #advance(count: number): number {
    const start = this.#at;
    if (start + count > this.#source.length) throw new MalformedRequest('shorter than its layout');
    this.#at = start + count;
    return start;
  }
}

/** An unsigned 64-bit number that must be exact in JavaScript. */
function readWhole(bytes: Buffer, at: number): number {
  const value = bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 0x1_0000_0000;
  if (!Number.isSafeInteger(value)) throw new MalformedRequest(`a number beyond 2^53 at byte ${at}`);
  return value;
}
