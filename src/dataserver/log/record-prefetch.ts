// Reads that are begun before they are asked for: of the beginnings of records
// that are as long as the last. A disk takes several at once in little more time
// than one.
import { Buffer } from 'node:buffer';
import type { DiskFile } from '../../runtime/disk.js';

/** How many records ahead. */
const RECORDS_AHEAD = 8;

export class RecordPrefetch {
  /** By their offset. One that fails brings nothing: whoever reads there again learns why. */
  readonly #reads = new Map<number, Promise<Buffer | undefined>>();
  /** Those that nobody wants any more. */
  readonly #unwanted = new Set<Promise<unknown>>();
  #recordBytes = 0;

  readonly #file: DiskFile;
  readonly #windowBytes: number;
  readonly #sizeBytes: number;

  /** @param windowBytes what each read brings, fewer at the end of the file */
  constructor(file: DiskFile, windowBytes: number, sizeBytes: number) {
    this.#file = file;
    this.#windowBytes = windowBytes;
    this.#sizeBytes = sizeBytes;
  }

  /** A record of that many bytes ends at `offset`. From the second of a length on, the next are read. */
  expect(offset: number, recordBytes: number): void {
    if (recordBytes !== this.#recordBytes) {
      this.#drop();
      this.#recordBytes = recordBytes;
      return;
    }
    for (let record = 0; record < RECORDS_AHEAD; record++) {
      const at = offset + record * recordBytes;
      if (at < this.#sizeBytes && !this.#reads.has(at)) this.#reads.set(at, this.#read(at));
    }
  }

  /** What was read from `offset` on; undefined when nothing was. */
  async take(offset: number): Promise<Buffer | undefined> {
    const read = this.#reads.get(offset);
    this.#reads.delete(offset);
    return read;
  }

  /** Resolves when the file is used no more. */
  async end(): Promise<void> {
    this.#drop();
    await Promise.all(this.#unwanted);
  }

  async #read(offset: number): Promise<Buffer | undefined> {
    const window = Buffer.allocUnsafe(Math.min(this.#windowBytes, this.#sizeBytes - offset));
    try {
      return window.subarray(0, await this.#file.read(window, offset));
    } catch {
      return undefined;
    }
  }

  #drop(): void {
    for (const read of this.#reads.values()) {
      this.#unwanted.add(read);
      void read.then(() => this.#unwanted.delete(read));
    }
    this.#reads.clear();
  }
}
