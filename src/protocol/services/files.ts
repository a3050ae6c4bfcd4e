// FileService: what a client needs of a mediator, by inode number.
// Fails with FileError. POSIX rules stand in the metaserver's namespace.
import type { Pieces } from '../values/pieces.js';
import type { Attempt } from '../values/request-ids.js';
import type { Verifier } from '../values/verifier.js';
import type { Extent } from './blocks.js';
import type { CallOptions } from './service.js';

/**
 * One path component. Any bytes but '/' and NUL, 1 to 255 of them, written as a
 * string with one character (U+0000 to U+00FF) per byte, i.e. latin1-decoded.
 */
export type FileName = string;

export const ROOT_INODE = 1;
export const MAXIMUM_NAME_BYTES = 255;
export const MAXIMUM_SYMLINK_BYTES = 4095;
/** Files end here, so that every offset is an exact JavaScript number. */
export const MAXIMUM_FILE_BYTES = 2 ** 52;
/** Up to this many open files, unlink and rename name all of them as `held`. With more, the affected file is looked up first. */
export const MOST_HELD_NAMED = 64;

export type FileKind = 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'character' | 'block';

export interface Attributes {
  inode: number;
  kind: FileKind;
  /** Permission bits with setuid, setgid and sticky: 0 to 0o7777. */
  mode: number;
  links: number;
  uid: number;
  gid: number;
  sizeBytes: number;
  /** Space that the blocks take in one copy; holes take none. */
  allocatedBytes: number;
  /** Nanoseconds since 1970, any sign; their seconds are within 64 bits. */
  accessTimeNs: bigint;
  modifyTimeNs: bigint;
  changeTimeNs: bigint;
  /** Device number of character and block devices as the kernel encodes it, else 0. */
  device: number;
  /** Bytes per block of this file's data, fixed at creation. */
  blockSizeBytes: number;
  /** How many extended attributes it has. */
  extendedAttributes: number;
  /** Grows whenever content or attributes change. */
  revision: number;
}

/** renameat2(2): without flags, with RENAME_NOREPLACE, with RENAME_EXCHANGE. */
export type RenameMode = 'replace' | 'no-replace' | 'exchange';

export interface Caller {
  uid: number;
  gid: number;
}

export interface AttributeChanges {
  mode?: number;
  uid?: number;
  gid?: number;
  sizeBytes?: number;
  accessTimeNs?: bigint;
  modifyTimeNs?: bigint;
  /** It was read just now: the access time, but neither change time nor revision, and other mounts are not told. */
  accessed?: true;
}

/** What else an answer tells of a change of names. */
export interface Changed {
  /** Of every inode that the change touched and that is still there, as they are after it: directories, and files whose names they are. */
  changed: Attributes[];
}

export interface DirectoryEntry {
  name: FileName;
  inode: number;
  kind: FileKind;
  /** Resume listing after this entry; unique within the directory, 3 or more, growing in list order (0 is the start; 1 and 2 are left for . and ..). */
  cookie: number;
  attributes?: Attributes;
}

export interface FileSystemSpace {
  blockSizeBytes: number;
  totalBytes: number;
  freeBytes: number;
  files: number;
}

/**
 * Requests that change something carry an id if their client retries them: the retry is not carried out again.
 * `umask` in requests that make something: taken off the mode, unless the directory has a default access control list.
 */
export interface FileService {
  lookup(request: { parent: number; name: FileName }, options?: CallOptions): Promise<Attributes>;
  getattr(request: { inode: number }, options?: CallOptions): Promise<Attributes>;
  /** Changing the size is a write: EIO without a write quorum, and then nothing has changed. */
  setattr(
    request: Attempt & { inode: number; changes: AttributeChanges; caller: Caller },
    options?: CallOptions,
  ): Promise<Attributes>;
  /** Makes a regular file; with exclusive EEXIST when the name is there, otherwise answers what is there. Needs a write quorum when `forWriting`. */
  create(
    request: Attempt & {
      parent: number;
      name: FileName;
      mode: number;
      umask?: number;
      exclusive: boolean;
      forWriting: boolean;
      caller: Caller;
    },
    options?: CallOptions,
  ): Promise<{ attributes: Attributes; created: boolean } & Changed>;
  /** A regular file without a name, O_TMPFILE: it lives until `release`, or until `link` gives it a name. Its directory is where it would be made. */
  createUnnamed(
    request: Attempt & { parent: number; mode: number; umask?: number; forWriting: boolean; caller: Caller },
    options?: CallOptions,
  ): Promise<{ attributes: Attributes }>;
  mkdir(
    request: Attempt & { parent: number; name: FileName; mode: number; umask?: number; caller: Caller },
    options?: CallOptions,
  ): Promise<{ attributes: Attributes } & Changed>;
  mknod(
    request: Attempt & {
      parent: number;
      name: FileName;
      kind: FileKind;
      mode: number;
      umask?: number;
      device: number;
      caller: Caller;
    },
    options?: CallOptions,
  ): Promise<{ attributes: Attributes } & Changed>;
  symlink(
    request: Attempt & { parent: number; name: FileName; target: string; caller: Caller },
    options?: CallOptions,
  ): Promise<{ attributes: Attributes } & Changed>;
  /** The target, one character per byte. */
  readlink(request: { inode: number }, options?: CallOptions): Promise<{ target: string }>;
  link(
    request: Attempt & { inode: number; parent: number; name: FileName },
    options?: CallOptions,
  ): Promise<{ attributes: Attributes } & Changed>;
  /**
   * Removes a name that is no directory. With `held`, the client has the file open or may: when this was the last name,
   * the file lives on until `release`. Answers the inode that lost a name.
   */
  unlink(
    request: Attempt & { parent: number; name: FileName; held: number[] },
    options?: CallOptions,
  ): Promise<{ inode: number; links: number } & Changed>;
  /** Answers the inode that is gone. */
  rmdir(
    request: Attempt & { parent: number; name: FileName },
    options?: CallOptions,
  ): Promise<{ inode: number } & Changed>;
  /**
   * `held`: as for unlink, for the file that is replaced. `replaced` is that file's inode. `whiteout`: a character device 0:0
   * with this owner takes the place of the name that is moved (RENAME_WHITEOUT).
   */
  rename(
    request: Attempt & {
      parent: number;
      name: FileName;
      newParent: number;
      newName: FileName;
      mode: RenameMode;
      held: number[];
      whiteout?: Caller;
    },
    options?: CallOptions,
  ): Promise<{ replaced?: number } & Changed>;
  /** Called before a file is used; forWriting fails with EIO unless Qw data servers can be reached (or waits, as configured). */
  open(request: { inode: number; forWriting: boolean }, options?: CallOptions): Promise<Attributes>;
  /** The last close of a file that was unlinked while held: its space comes back. */
  release(request: { inode: number }, options?: CallOptions): Promise<Record<string, never>>;
  /** Voted bytes from `offset`, lent; fewer than `length` only at the end of the file. Holes are zeros. */
  read(request: { inode: number; offset: number; length: number }, options?: CallOptions): Promise<{ pieces: Pieces }>;
  /**
   * Cuts the file at `truncateTo` if given, then lays `extents` over it in order, in one commit: all of it is visible and
   * durable on Qw data servers and the metaserver when this answers, or none of it is. Extents from `appendedFrom` on were
   * appended (O_APPEND) by a client that took `appendedFrom` for the end of the file: they move together to where the file
   * ends when they are stored. Not together with `truncateTo`, which sets the end itself.
   */
  write(
    request: Attempt & {
      inode: number;
      extents: Extent[];
      truncateTo?: number;
      appendedFrom?: number;
      /** When the bytes were written; null: before the times that the file has now, which stay. */
      modifyTimeNs: bigint | null;
    },
    options?: CallOptions,
  ): Promise<Attributes>;
  /**
   * fallocate(2), in one commit. `zeros`: the range reads as zeros and takes no space, except for the pages around its ends;
   * without it: ENOSPC when there is no room for the range now, but no room is reserved. Unless `keepsSize`, the file ends at
   * `offset` + `length` or later.
   */
  fallocate(
    request: Attempt & {
      inode: number;
      offset: number;
      length: number;
      zeros: boolean;
      keepsSize: boolean;
      modifyTimeNs: bigint;
    },
    options?: CallOptions,
  ): Promise<Attributes>;
  /** Where the next data or hole begins, at `offset` or after it, by whole blocks; the end is a hole. ENXIO from the end on, or without data behind `offset`. */
  seek(
    request: { inode: number; offset: number; what: 'data' | 'hole' },
    options?: CallOptions,
  ): Promise<{ offset: number }>;
  /** All changes to the namespace and to this inode that were answered before are on stable storage when it answers, but for what the verifier says. */
  fsync(request: { inode: number }, options?: CallOptions): Promise<{ verifier: Verifier }>;
  /** Entries after `cookie` (0: from the start), without . and ..; `attributes` when asked for. `done`: no more behind these. */
  readdir(
    request: { inode: number; cookie: number; limit: number; attributes: boolean },
    options?: CallOptions,
  ): Promise<{ entries: DirectoryEntry[]; done: boolean; parent: number }>;
  statfs(request: Record<string, never>, options?: CallOptions): Promise<FileSystemSpace>;
  getxattr(request: { inode: number; name: string }, options?: CallOptions): Promise<{ value: Uint8Array }>;
  /** Access control lists (system.posix_acl_*) change the mode with them; `killSetgid`: the caller may not keep it. */
  setxattr(
    request: Attempt & {
      inode: number;
      name: string;
      value: Uint8Array;
      mode: 'set' | 'create' | 'replace';
      killSetgid?: boolean;
    },
    options?: CallOptions,
  ): Promise<{ attributes: Attributes }>;
  listxattr(request: { inode: number }, options?: CallOptions): Promise<{ names: string[] }>;
  removexattr(
    request: Attempt & { inode: number; name: string },
    options?: CallOptions,
  ): Promise<{ attributes: Attributes }>;
}
