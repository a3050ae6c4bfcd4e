// Large appends past the page cache (O_DIRECT). The cache would take fresh memory
// for bytes that are seldom read soon, and write them later: copying them into
// memory that is used again, and writing that, takes a third to a half of the
// processor time. Where that is not possible they go through the cache.
import type { Buffer } from 'node:buffer';
import { errorFields, hasCode } from '../../runtime/caught-errors.js';
import { DIRECT_ALIGNMENT_BYTES, type DiskFile } from '../../runtime/disk.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Log } from '../../runtime/log.js';
import { DIRECT_APPEND_BYTES, DIRECT_APPEND_MEMORY_BYTES } from '../limits.js';

export class DirectAppend {
  /** One is enough: appends come one after the other. */
  #memory: Buffer | undefined;
  #isSupported = true;

  readonly #log: Log;
  readonly #minimumBytes: number;

  /** @param minimumBytes a smaller append goes through the cache */
  constructor(log: Log, minimumBytes = DIRECT_APPEND_BYTES) {
    this.#log = log;
    this.#minimumBytes = minimumBytes;
  }

  /** Whether an append of so many bytes, to a segment that ends there, is to be made with `write`. */
  isFor(bytes: number, endOffset: number): boolean {
    if (!this.#isSupported || bytes < this.#minimumBytes) return false;
    // Memory is tried out by reading a page into it, so the first append needs a file that has one.
    return this.#memory !== undefined || endOffset >= DIRECT_ALIGNMENT_BYTES;
  }

  /**
   * Writes the chunks; position and their length together are multiples of DIRECT_ALIGNMENT_BYTES. They are not durable before a
   * sync. Answers false when the disk can't write directly: then they are to be written in another way.
   */
  async write(file: DiskFile, chunks: readonly Uint8Array[], position: number): Promise<boolean> {
    try {
      const memory = await this.#takeMemory(file);
      if (memory === undefined) return false;
      await this.#copyAndWrite(file, memory, chunks, position);
      return true;
    } catch (error) {
      if (!hasCode(error, 'EINVAL')) throw error;
      this.#noteUnsupported(error);
      return false;
    }
  }

  /** undefined when none can be had, for whatever reason: the cache needs none. */
  async #takeMemory(file: DiskFile): Promise<Buffer | undefined> {
    try {
      this.#memory ??= await file.directMemory(DIRECT_APPEND_MEMORY_BYTES);
    } catch (error) {
      rethrowProgramFault(error);
      this.#noteUnsupported(error);
    }
    return this.#memory;
  }

  #noteUnsupported(error: unknown): void {
    this.#isSupported = false;
    this.#log.info('direct.append_unsupported', errorFields(error));
  }

  async #copyAndWrite(file: DiskFile, memory: Buffer, chunks: readonly Uint8Array[], position: number): Promise<void> {
    let writtenBytes = 0;
    let filledBytes = 0;
    for (const chunk of chunks) {
      for (let taken = 0; taken < chunk.length; ) {
        const part = chunk.subarray(taken, taken + memory.length - filledBytes);
        memory.set(part, filledBytes);
        taken += part.length;
        filledBytes += part.length;
        if (filledBytes < memory.length) continue;
        await file.writeDirect(memory, position + writtenBytes);
        writtenBytes += filledBytes;
        filledBytes = 0;
      }
    }
    if (filledBytes > 0) await file.writeDirect(memory.subarray(0, filledBytes), position + writtenBytes);
  }
}
