// What the kernel asks for, as the types that parsed requests have.
import type { Buffer } from 'node:buffer';
import type { FileName } from '../../../protocol/services/files.js';
import type { LockKind, LockType } from '../../../protocol/services/sessions.js';

export interface RequestHeader {
  opcode: number;
  unique: number;
  inode: number;
  uid: number;
  gid: number;
  pid: number;
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
  /** The open file through which the lock is set or asked for. */
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
