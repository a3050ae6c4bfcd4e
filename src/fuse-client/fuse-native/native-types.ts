// The parts of the package fuse-native (2.2.6) that are used; it has no types.
// Results go to a callback whose first argument is 0 or a negative errno.
import type { Buffer } from 'node:buffer';

export type Answer<Results extends unknown[] = []> = (error: number, ...results: Results | []) => void;

export interface NativeStat {
  mode: number;
  uid: number;
  gid: number;
  size: number;
  nlink: number;
  ino: number;
  rdev: number;
  blksize: number;
  blocks: number;
  /** Milliseconds since 1970, not before. */
  atime: number;
  mtime: number;
  ctime: number;
}

export interface NativeSpace {
  bsize: number;
  frsize: number;
  blocks: number;
  bfree: number;
  bavail: number;
  files: number;
  ffree: number;
  favail: number;
  namemax: number;
}

/** Paths are UTF-8 text from the mount's root. */
export interface NativeOperations {
  statfs(path: string, answer: Answer<[NativeSpace]>): void;
  getattr(path: string, answer: Answer<[NativeStat]>): void;
  fgetattr(path: string, handle: number, answer: Answer<[NativeStat]>): void;
  readdir(path: string, answer: Answer<[string[]]>): void;
  readlink(path: string, answer: Answer<[string]>): void;
  truncate(path: string, sizeBytes: number, answer: Answer): void;
  ftruncate(path: string, handle: number, sizeBytes: number, answer: Answer): void;
  utimens(path: string, accessMs: number, modifyMs: number, answer: Answer): void;
  chown(path: string, uid: number, gid: number, answer: Answer): void;
  chmod(path: string, mode: number, answer: Answer): void;
  mknod(path: string, mode: number, device: number, answer: Answer): void;
  mkdir(path: string, mode: number, answer: Answer): void;
  symlink(target: string, path: string, answer: Answer): void;
  link(source: string, path: string, answer: Answer): void;
  unlink(path: string, answer: Answer): void;
  rmdir(path: string, answer: Answer): void;
  rename(path: string, newPath: string, answer: Answer): void;
  create(path: string, mode: number, answer: Answer<[number]>): void;
  open(path: string, flags: number, answer: Answer<[number]>): void;
  /** Fills `target`; answers the number of bytes, or a negative errno, as the only argument. */
  read(path: string, handle: number, target: Buffer, length: number, offset: number, answer: Answer): void;
  /** `data` is valid until the answer, which is the number of bytes or a negative errno. */
  write(path: string, handle: number, data: Buffer, length: number, offset: number, answer: Answer): void;
  flush(path: string, handle: number, answer: Answer): void;
  fsync(path: string, dataOnly: number, handle: number, answer: Answer): void;
  opendir(path: string, flags: number, answer: Answer<[number]>): void;
  fsyncdir(path: string, dataOnly: number, handle: number, answer: Answer): void;
  releasedir(path: string, handle: number, answer: Answer): void;
  release(path: string, handle: number, answer: Answer): void;
  setxattr(path: string, name: string, value: Buffer, position: number, flags: number, answer: Answer): void;
  getxattr(path: string, name: string, position: number, answer: Answer<[Buffer]>): void;
  listxattr(path: string, answer: Answer<[string[]]>): void;
  removexattr(path: string, name: string, answer: Answer): void;
}

export interface NativeInstance {
  mount(done: (error: Error | null) => void): void;
  unmount(done: (error: Error | null) => void): void;
  /** By operation number; the first argument is the memory of the request's C struct. */
  _handlers: ((request: Buffer, operation: number, ...parameters: unknown[]) => void)[];
}

export interface NativeClass {
  new (
    directory: string,
    operations: NativeOperations,
    options: {
      fsname: string;
      subtype: string;
      allowOther: boolean;
      defaultPermissions: boolean;
      timeout: false;
    },
  ): NativeInstance;
  /** Called by an instance to unmount; runs fusermount unless replaced. */
  unmount: (directory: string, done: (error: Error | null) => void) => void;
}
