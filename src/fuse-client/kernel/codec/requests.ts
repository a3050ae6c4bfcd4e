// Bytes from /dev/fuse to typed requests. Pure: no device, no state. A request
// that does not fit its layout throws MalformedRequest; nothing is guessed.
import { Buffer } from 'node:buffer';
import type { LockType } from '../../../protocol/services/sessions.js';
import {
  IN_HEADER_BYTES,
  InitFlag,
  LOCK_IS_FLOCK,
  OPEN_KILL_SUIDGID,
  Opcode,
  SETXATTR_KILL_SETGID,
  Whence,
} from './layout.js';
import { RequestReader } from './request-reader.js';
import type { Arguments, LockArguments, RequestHeader } from './request-types.js';
import { MalformedRequest, readWhole } from './whole-numbers.js';

/** Throws MalformedRequest when `bytes` is not one whole request. */
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

/** The arguments of a whole request. A write's data is a view into `bytes`; everything else is copied out. */
export function parseArguments(header: RequestHeader, bytes: Buffer, { longSetxattr = false } = {}): Arguments {
  const reader = new RequestReader(bytes);
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
      reader.skip(4); // padding
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
      reader.skip(4); // padding
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
      reader.skip(16); // lock_owner, which only mandatory locks need; the flags of open, which the handle has; padding
      return { kind: 'write', handle, offset, writeFlags, data: reader.bytes(size) };
    }
    case Opcode.RELEASE:
      // The rest says whether the file has a flock, and whose: the mount knows the owners of all locks.
      return { kind: 'release', handle: reader.u64() };
    case Opcode.RELEASEDIR:
      return { kind: 'releasedir', handle: reader.u64() };
    case Opcode.FLUSH: {
      const handle = reader.u64();
      reader.skip(8); // unused, padding
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
      if (longSetxattr) reader.skip(4); // padding
      const name = reader.string();
      return { kind: 'setxattr', name, flags, killSetgid, value: Buffer.from(reader.bytes(size)) };
    }
    case Opcode.GETXATTR: {
      const size = reader.u32();
      reader.skip(4); // padding
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
      reader.skip(8); // the target's inode: its handle says which
      const target = { handle: reader.u64(), offset: reader.offset() };
      return { kind: 'copy', source, target, length: reader.offset(), flags: reader.u64() };
    }
    case Opcode.TMPFILE: {
      // As CREATE; the name means nothing.
      const flags = reader.u32();
      return { kind: 'tmpfile', flags, mode: reader.u32(), umask: reader.u32() };
    }
    default:
      // ACCESS, POLL, STATX and later ones: after ENOSYS the kernel does without.
      return { kind: 'refused', code: 'ENOSYS' };
  }
}

function parseForgets(reader: RequestReader): { inode: number; count: number }[] {
  const count = reader.u32();
  reader.skip(4); // padding
  const forgets = [];
  for (let index = 0; index < count; index++) forgets.push({ inode: reader.u64(), count: reader.u64() });
  return forgets;
}

function parseSetattr(reader: RequestReader): Arguments {
  const valid = reader.u32();
  reader.skip(4); // padding
  const handle = reader.u64();
  const sizeBytes = reader.offset();
  reader.skip(8); // lock_owner, which only mandatory locks need
  const accessSeconds = reader.i64();
  const modifySeconds = reader.i64();
  reader.skip(8); // ctime: every change makes it now
  const accessTimeNs = accessSeconds * 1_000_000_000n + BigInt(reader.u32());
  const modifyTimeNs = modifySeconds * 1_000_000_000n + BigInt(reader.u32());
  reader.skip(4); // ctimensec
  const mode = reader.u32();
  reader.skip(4); // unused
  const uid = reader.u32();
  const gid = reader.u32();
  return { kind: 'setattr', valid, handle, sizeBytes, accessTimeNs, modifyTimeNs, mode, uid, gid };
}

function parseLock(reader: RequestReader): LockArguments {
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

function parseRange(reader: RequestReader): { handle: number; offset: number; size: number } {
  return { handle: reader.u64(), offset: reader.u64(), size: reader.u32() };
}
