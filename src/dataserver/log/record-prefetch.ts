// Reads that are begun before they are asked for: of the beginnings of records
// that probably follow those that were as long as each other. A disk takes several
// at once in little more time than one.
import { Buffer } from 'node:buffer';
import type { DiskFile } from '../../runtime/disk.js';

/** How many records ahead, at most. */
const MOST_RECORDS_AHEAD = 8;

export class RecordPrefetch {
  /** By their offset. One that fails brings nothing: whoever reads there again learns why. */
  readonly #reads = new Map<number, Promise<Buffer | undefined>>();
  /** Those that nobody wants any more. */
  readonly #unwanted = new Set<Promise<unknown>>();
  /** Of the records that have followed each other: how long each is, where the last of them ends, how many there are. */
  #run = { recordBytes: 0, endOffset: 0, records: 0 };

  readonly #file: DiskFile;
  readonly #windowBytes: number;
  readonly #sizeBytes: number;

  /** @param windowBytes what each read brings, fewer at the end of the file */
  constructor(file: DiskFile, windowBytes: number, sizeBytes: number) {
    this.#file = file;
    this.#windowBytes = windowBytes;
    this.#sizeBytes = sizeBytes;
  }

  /** A record of that many bytes ends at `endOffset`. As many are read ahead as have followed each other before it. */
  expect(endOffset: number, recordBytes: number): void {
    const last = this.#run;
    const follows = recordBytes === last.recordBytes && endOffset - recordBytes === last.endOffset;
    if (!follows) this.#drop();
    const records = follows ? last.records + 1 : 1;
    this.#run = { recordBytes, endOffset, records };
    for (let ahead = 0; ahead < Math.min(records - 1, MOST_RECORDS_AHEAD); ahead++) {
      const at = endOffset + ahead * recordBytes;
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
