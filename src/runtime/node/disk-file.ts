// One open file of Node's file system, by its descriptor and callbacks: promises
// of fs cost noticeably more per call.
import { Buffer } from 'node:buffer';
import * as fs from 'node:fs';
import { hasCode } from '../caught-errors.js';
import { DIRECT_ALIGNMENT_BYTES, type DiskFile } from '../disk.js';
import { isCached } from './page-cache.js';

/** The kernel takes so many chunks in one call (IOV_MAX). */
const MAXIMUM_CHUNKS = 1024;

const HUGE_PAGE_BYTES = 2 * 1024 * 1024;
/** What glibc's malloc answers lies at multiples of this, and takes so much more than was asked for. */
const MALLOC_ALIGNMENT_BYTES = 16;
const MALLOC_HEADER_BYTES = 8;
/** At which offset in directMemory's buffer a page began the last time. This one is right for memory that malloc maps by itself. */
let directOffset = DIRECT_ALIGNMENT_BYTES - MALLOC_ALIGNMENT_BYTES;

export class NodeDiskFile implements DiskFile {
  /** A second descriptor, for direct reads; opened when the first of them comes. */
  #direct: Promise<number> | undefined;
  /** Another one, for writing through; opened when that is asked for first. */
  #through: Promise<number> | undefined;

  /** And one for direct writes. */
  #directOut: Promise<number> | undefined;

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
   * Takes a huge page where the system gives them (see malloc-options.ts): a virtual disk took twice as long to read into 256
   * pieces of 4 KiB as into one of 1 MiB. Node does not tell the address of a buffer, so the offset at which a page begins is
   * found by trying direct reads. The offset that worked the last time comes first: malloc aligns pieces of one size alike.
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
    this.#direct ??= this.#openAgain(fs.constants.O_RDONLY | fs.constants.O_DIRECT, () => {
      this.#direct = undefined;
    });
    return readFully(await this.#direct, target, position, DIRECT_ALIGNMENT_BYTES);
  }

  isCached(position: number): boolean {
    return isCached(this.#descriptor, position);
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
    return writeFully(this.#descriptor, chunks, position);
  }

  /** A thread of the pool is woken once, and not for the write and again for the sync: a fifth less time on a busy machine. */
  async writeThrough(chunks: readonly Uint8Array[], position: number): Promise<void> {
    this.#through ??= this.#openAgain(fs.constants.O_WRONLY | fs.constants.O_DSYNC, () => {
      this.#through = undefined;
    });
    await writeFully(await this.#through, chunks, position);
  }

  async writeDirect(source: Uint8Array, position: number): Promise<void> {
    this.#directOut ??= this.#openAgain(fs.constants.O_WRONLY | fs.constants.O_DIRECT, () => {
      this.#directOut = undefined;
    });
    await writeFully(await this.#directOut, [source], position);
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
    const others = await Promise.all(
      [this.#direct, this.#through, this.#directOut].map((each) => each?.catch(() => undefined)),
    );
    try {
      for (const other of others) if (other !== undefined) await this.#finish((done) => fs.close(other, done));
    } finally {
      await this.#finish((done) => fs.close(this.#descriptor, done));
    }
  }

  /**
   * Another descriptor of the same file, whatever has become of its name.
   * @param failed whoever asks next tries again
   */
  #openAgain(flags: number, failed: () => void): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.open(`/proc/self/fd/${this.#descriptor}`, flags, (error, descriptor) => {
        if (error === null) {
          resolve(descriptor);
          return;
        }
        failed();
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

function writeFully(descriptor: number, chunks: readonly Uint8Array[], position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const step = (rest: readonly Uint8Array[], at: number): void => {
      if (rest.length === 0) {
        resolve();
        return;
      }
      fs.writev(descriptor, rest.slice(0, MAXIMUM_CHUNKS), at, (error, count) => {
        if (error !== null) reject(error);
        else step(without(rest, count), at + count);
      });
    };
    step(chunks, position);
  });
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
