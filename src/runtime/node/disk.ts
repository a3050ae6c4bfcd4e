// Node's file system. What is written is this user's alone; errors are Node's
// own, with code and path.
import { Buffer } from 'node:buffer';
import * as fs from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hasCode } from '../caught-errors.js';
import { DIRECT_ALIGNMENT_BYTES, type Disk, type DiskFile } from '../disk.js';

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
/** The kernel takes so many chunks in one call (IOV_MAX). */
const MAXIMUM_CHUNKS = 1024;

const OPEN_FLAGS = {
  create: fs.constants.O_RDWR | fs.constants.O_CREAT,
  existing: fs.constants.O_RDWR,
  reading: fs.constants.O_RDONLY,
} as const;

const ONE_BYTE = Buffer.alloc(1);

const HUGE_PAGE_BYTES = 2 * 1024 * 1024;
/** What glibc's malloc answers lies at multiples of this, and takes so much more than was asked for. */
const MALLOC_ALIGNMENT_BYTES = 16;
const MALLOC_HEADER_BYTES = 8;
/** Where in memory of directMemory a page began the last time: here when malloc takes it from the system by itself. */
let directOffset = DIRECT_ALIGNMENT_BYTES - MALLOC_ALIGNMENT_BYTES;

export const nodeDisk: Disk = {
  open(path, mode) {
    const flags = OPEN_FLAGS[mode];
    return new Promise((resolve, reject) => {
      fs.open(path, flags, FILE_MODE, (error, descriptor) => {
        if (error === null) resolve(new NodeDiskFile(descriptor));
        else reject(error);
      });
    });
  },

  async list(directory) {
    return (await unlessMissing(readdir(directory))) ?? [];
  },

  async makeDirectory(path) {
    await mkdir(path, { recursive: true, mode: DIRECTORY_MODE });
  },

  async remove(path) {
    await rm(path, { recursive: true, force: true });
  },

  async syncDirectory(path) {
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },

  async readFile(path) {
    return unlessMissing(readFile(path));
  },

  async replaceFile(path, content) {
    const fresh = `${path}.new`;
    const handle = await open(fresh, 'w', FILE_MODE);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(fresh, path);
    await nodeDisk.syncDirectory(dirname(path));
  },

  async space(path) {
    const [{ bsize, bavail, blocks }, { dev }, bootId] = await Promise.all([
      statfs(path),
      stat(path),
      nodeDisk.bootId(),
    ]);
    // Each host has its own numbers for devices.
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize, diskId: `${bootId}/${dev}` };
  },

  async bootId() {
    return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  },
};

/** Works on the descriptor by callbacks: promises of fs cost noticeably more per call. */
class NodeDiskFile implements DiskFile {
  #direct: Promise<number> | undefined;

  readonly #descriptor: number;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  readNow(target: Uint8Array, position: number): number {
    let done = 0;
    while (done < target.length) {
      const count = fs.readSync(this.#descriptor, target, done, target.length - done, position + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  read(target: Uint8Array, position: number): Promise<number> {
    return readFully(this.#descriptor, target, position);
  }

  /**
   * A huge page of its own, where the system gives them (see malloc-options.ts): a virtual disk is handed memory in pieces that
   * lie together, and took twice as long for 256 of 4 KiB as for one of 1 MiB. Nobody says at which address it is, so where the
   * system takes it is found out by trying, first where it did the last time: malloc's pieces of this size lie alike.
   */
  async directMemory(sizeBytes: number): Promise<Buffer> {
    const hugePages = Math.ceil((sizeBytes + 2 * DIRECT_ALIGNMENT_BYTES) / HUGE_PAGE_BYTES);
    const memory = Buffer.allocUnsafeSlow(hugePages * HUGE_PAGE_BYTES - DIRECT_ALIGNMENT_BYTES - MALLOC_HEADER_BYTES);
    let offset = directOffset;
    for (let tries = DIRECT_ALIGNMENT_BYTES / MALLOC_ALIGNMENT_BYTES; ; tries--) {
      try {
        await this.readDirect(memory.subarray(offset, offset + DIRECT_ALIGNMENT_BYTES), 0);
        directOffset = offset;
        return memory.subarray(offset, offset + sizeBytes);
      } catch (error) {
        if (tries === 1 || !hasCode(error, 'EINVAL')) throw error;
      }
      offset = (offset + MALLOC_ALIGNMENT_BYTES) % DIRECT_ALIGNMENT_BYTES;
    }
  }

  async readDirect(target: Uint8Array, position: number): Promise<number> {
    this.#direct ??= this.#openDirect();
    return readFully(await this.#direct, target, position, DIRECT_ALIGNMENT_BYTES);
  }

  isCached(position: number): boolean {
    const fetchedBytes = fetchedByThisThread();
    fs.readSync(this.#descriptor, ONE_BYTE, 0, 1, position);
    return fetchedByThisThread() === fetchedBytes;
  }

  writeNow(chunks: readonly Uint8Array[], position: number): void {
    let rest = chunks;
    for (let at = position; rest.length > 0; ) {
      const count = fs.writevSync(this.#descriptor, rest.slice(0, MAXIMUM_CHUNKS), at);
      rest = without(rest, count);
      at += count;
    }
  }

  write(chunks: readonly Uint8Array[], position: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const step = (rest: readonly Uint8Array[], at: number): void => {
        if (rest.length === 0) {
          resolve();
          return;
        }
        fs.writev(this.#descriptor, rest.slice(0, MAXIMUM_CHUNKS), at, (error, count) => {
          if (error !== null) reject(error);
          else step(without(rest, count), at + count);
        });
      };
      step(chunks, position);
    });
  }

  sync(): Promise<void> {
    return this.#finish((done) => fs.fdatasync(this.#descriptor, done));
  }

  syncNow(): void {
    fs.fdatasyncSync(this.#descriptor);
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#finish((done) => fs.ftruncate(this.#descriptor, sizeBytes, done));
  }

  sizeBytes(): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.fstat(this.#descriptor, (error, stats) => {
        if (error === null) resolve(stats.size);
        else reject(error);
      });
    });
  }

  async close(): Promise<void> {
    const direct = await this.#direct?.catch(() => undefined);
    try {
      if (direct !== undefined) await this.#finish((done) => fs.close(direct, done));
    } finally {
      await this.#finish((done) => fs.close(this.#descriptor, done));
    }
  }

  /** A descriptor of its own for the same file, whatever has become of its name. */
  #openDirect(): Promise<number> {
    return new Promise((resolve, reject) => {
      const flags = fs.constants.O_RDONLY | fs.constants.O_DIRECT;
      fs.open(`/proc/self/fd/${this.#descriptor}`, flags, (error, descriptor) => {
        if (error === null) {
          resolve(descriptor);
          return;
        }
        // The next one tries again.
        this.#direct = undefined;
        reject(error);
      });
    });
  }

  #finish(start: (done: (error: Error | null | undefined) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      start((error) => {
        if (error === null || error === undefined) resolve();
        else reject(error);
      });
    });
  }
}

/** What this thread reads is counted here, proc(5); undefined where there is no such file. */
let accounts: number | null | undefined;
const accountText = Buffer.alloc(512);

/** Bytes that this thread's blocking reads have asked the medium for until now; 0 for ever where the system does not count. */
function fetchedByThisThread(): number {
  if (accounts === undefined) accounts = openAccounts();
  if (accounts === null) return 0;
  const lengthBytes = fs.readSync(accounts, accountText, 0, accountText.length, 0);
  return Number(/^read_bytes: (\d+)$/m.exec(accountText.toString('latin1', 0, lengthBytes))?.[1] ?? 0);
}

function openAccounts(): number | null {
  try {
    return fs.openSync('/proc/thread-self/io', 'r');
  } catch {
    // A kernel without: everything counts as cached.
    return null;
  }
}

/** Fills `target`, or as much of it as the file has: it ends there, or within a unit of `alignment`. */
function readFully(descriptor: number, target: Uint8Array, position: number, alignment = 1): Promise<number> {
  return new Promise((resolve, reject) => {
    const step = (done: number): void => {
      if (done === target.length || done % alignment !== 0) {
        resolve(done);
        return;
      }
      fs.read(descriptor, target, done, target.length - done, position + done, (error, count) => {
        if (error !== null) reject(error);
        else if (count === 0) resolve(done);
        else step(done + count);
      });
    };
    step(0);
  });
}

/** The chunks without their first `count` bytes, and without empty ones at the front. */
function without(chunks: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let left = count;
  for (let index = 0; index < chunks.length; index++) {
    const chunk = chunks[index];
    if (chunk === undefined) break;
    if (chunk.length > left) return [chunk.subarray(left), ...chunks.slice(index + 1)];
    left -= chunk.length;
  }
  return [];
}

async function unlessMissing<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
