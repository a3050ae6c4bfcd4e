// Numbers of the kernel's FUSE protocol, from /usr/include/linux/fuse.h
// (protocol 7.38; what is newer says so). Only those that the session sends or understands.

export const PROTOCOL_MAJOR = 7;
export const PROTOCOL_MINOR = 38;
/** READDIRPLUS, parallel directory operations, 64-byte INIT replies: all there since 7.31 (Linux 5.4). */
export const OLDEST_PROTOCOL_MINOR = 31;

export const IN_HEADER_BYTES = 40;
export const OUT_HEADER_BYTES = 16;

/** Pages per request: 1 MiB, the most that kernels take by default. */
export const MAXIMUM_PAGES = 256;
export const PAGE_BYTES = 4096;
export const MAXIMUM_WRITE_BYTES = MAXIMUM_PAGES * PAGE_BYTES;
/** A read from the device must have room for the largest request: a write, its header and its arguments. */
export const REQUEST_BUFFER_BYTES = MAXIMUM_WRITE_BYTES + PAGE_BYTES;

export const Opcode = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  GETLK: 31,
  SETLK: 32,
  SETLKW: 33,
  CREATE: 35,
  INTERRUPT: 36,
  DESTROY: 38,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  COPY_FILE_RANGE: 47,
  TMPFILE: 51,
  /** Since 7.45: as COPY_FILE_RANGE, with a length and an answer of 64 bits. */
  COPY_FILE_RANGE_64: 53,
} as const;

export const InitFlag = {
  ASYNC_READ: 1 << 0,
  POSIX_LOCKS: 1 << 1,
  ATOMIC_O_TRUNC: 1 << 3,
  /** Any inode can be looked up as its own ".", and a directory's parent as "..", so that NFS handles outlive the mount. */
  EXPORT_SUPPORT: 1 << 4,
  BIG_WRITES: 1 << 5,
  DONT_MASK: 1 << 6,
  FLOCK_LOCKS: 1 << 10,
  AUTO_INVAL_DATA: 1 << 12,
  DO_READDIRPLUS: 1 << 13,
  ASYNC_DIO: 1 << 15,
  PARALLEL_DIROPS: 1 << 18,
  MAX_PAGES: 1 << 22,
  CACHE_SYMLINKS: 1 << 23,
  POSIX_ACL: 1 << 20,
  HANDLE_KILLPRIV_V2: 1 << 28,
  SETXATTR_EXT: 1 << 29,
  /** 32 more flags follow: HighInitFlag. */
  INIT_EXT: 1 << 30,
} as const;

/** Flags 32 and up, in a word of their own. */
export const HighInitFlag = {
  /** Since 7.39: a file that is open for direct I/O may be mapped for sharing, as other file systems allow. */
  DIRECT_IO_ALLOW_MMAP: 1 << 4,
} as const;

export const SetattrFlag = {
  MODE: 1 << 0,
  UID: 1 << 1,
  GID: 1 << 2,
  SIZE: 1 << 3,
  ATIME: 1 << 4,
  MTIME: 1 << 5,
  FH: 1 << 6,
  ATIME_NOW: 1 << 7,
  MTIME_NOW: 1 << 8,
  KILL_SUIDGID: 1 << 11,
} as const;

/** linux/fs.h, lseek(2); the kernel itself does the others. */
export const Whence = { DATA: 3, HOLE: 4 } as const;

/** All or none of them: the kernel obeys lists, leaves the umask to us, and says in SETXATTR whether set-group-id must go. */
export const ACL_FLAGS = InitFlag.POSIX_ACL | InitFlag.DONT_MASK | InitFlag.SETXATTR_EXT;
export const SETXATTR_KILL_SETGID = 1 << 0;

/** FUSE_WRITE_CACHE: pages that a program changed through a mapping, sent with any handle that may write. */
export const WRITE_OF_PAGES = 1 << 0;
export const WRITE_KILL_SUIDGID = 1 << 2;
export const OPEN_KILL_SUIDGID = 1 << 0;
export const OPEN_REPLY_DIRECT_IO = 1 << 0;
/** FOPEN_KEEP_CACHE and FOPEN_CACHE_DIR: the kernel keeps what it reads of a directory, and what it has read before. */
export const OPEN_REPLY_KEEP_CACHE = 1 << 1;
export const OPEN_REPLY_CACHE_DIRECTORY = 1 << 3;

/** Notifications travel as replies to request 0, their code in the place of the errno. */
export const NotifyCode = { INVALIDATE_INODE: 2, INVALIDATE_ENTRY: 3, INCREASE_EPOCH: 8 } as const;
/** Linux 6.16. */
export const EPOCH_PROTOCOL_MINOR = 44;

export const LOCK_IS_FLOCK = 1 << 0;
/** fcntl.h */
export const LockCode = { READ: 0, WRITE: 1, UNLOCK: 2 } as const;
