// The disk is passed in, so that the simulation can lose what was not synced.
// Paths are absolute. Errors are Node's system errors (with .code).
import type { Buffer } from 'node:buffer';

/** Direct reads and writes begin and end at multiples of this, in the file and in memory: no disk in use asks for more. */
export const DIRECT_ALIGNMENT_BYTES = 4096;

export interface DiskFile {
  /** Fills `target` from `position`; returns the bytes read, fewer only at the end of the file. Blocks. */
  readNow(target: Uint8Array, position: number): number;
  /** The same without blocking the event loop. */
  read(target: Uint8Array, position: number): Promise<number>;
  /** Memory for direct reads and writes of this file and of others on the same disk. Fails with EINVAL where they are not possible. */
  directMemory(sizeBytes: number): Promise<Buffer>;
  /**
   * `read` from the medium itself, past the system's cache: into such memory from its beginning on, position and length multiples
   * of DIRECT_ALIGNMENT_BYTES. Fails with EINVAL where that is not possible.
   */
  readDirect(target: Uint8Array, position: number): Promise<number>;
  /** Whether the byte is in the system's cache, or nobody can say. It is in the cache afterwards. Blocks. */
  isCached(position: number): boolean;
  /** Writes all chunks, in order, at `position`; growing the file if need be. Blocks; not durable before `sync`. */
  writeNow(chunks: readonly Uint8Array[], position: number): void;
  /** The same without blocking the event loop. */
  write(chunks: readonly Uint8Array[], position: number): Promise<void>;
  /** `write`, on stable storage when it resolves: one operation instead of two. */
  writeThrough(chunks: readonly Uint8Array[], position: number): Promise<void>;
  /**
   * `write` of one piece past the system's cache: from such memory as directMemory answers, position and length multiples of
   * DIRECT_ALIGNMENT_BYTES. Not durable before `sync`. Fails with EINVAL where that is not possible.
   */
  writeDirect(source: Uint8Array, position: number): Promise<void>;
  /** fdatasync: what was written before the call is on stable storage when it resolves. */
  sync(): Promise<void>;
  /** The same, blocking; missing where it would hide what happens meanwhile, as in the simulation. */
  syncNow?(): void;
  truncate(sizeBytes: number): Promise<void>;
  sizeBytes(): Promise<number>;
  close(): Promise<void>;
}

export interface DiskSpace {
  freeBytes: number;
  totalBytes: number;
  /** Paths with the same id, on whatever host, share the same room. */
  diskId: string;
}

export type OpenMode = 'create' | 'existing' | 'reading';

export interface Disk {
  /**
   * Opens for reading and writing; 'create' makes the file when it is missing, 'existing' fails with ENOENT. 'reading': an
   * existing one, also where nothing can be written.
   */
  open(path: string, mode: OpenMode): Promise<DiskFile>;
  /** Names in a folder, in no particular order; empty when the folder is missing. */
  list(directory: string): Promise<string[]>;
  makeDirectory(path: string): Promise<void>;
  /** Removes a file or a whole folder; nothing happens when it is missing. */
  remove(path: string): Promise<void>;
  /** Moves a file, in the place of what is there; lasting after `syncDirectory`. */
  rename(from: string, to: string): Promise<void>;
  /** fsync of the folder: files made, renamed and removed in it stay so. */
  syncDirectory(path: string): Promise<void>;
  /** The whole of a small file, undefined when it is missing. */
  readFile(path: string): Promise<Uint8Array | undefined>;
  /** Replaces a small file so that a crash leaves the old or the new content, durable when it resolves. */
  replaceFile(path: string, content: Uint8Array): Promise<void>;
  /** Room on the disk under `path`. */
  space(path: string): Promise<DiskSpace>;
  /** Changes whenever the machine has booted anew: what was never synced may be gone. */
  bootId(): Promise<string>;
}
