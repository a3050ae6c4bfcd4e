// Reads a segment record by record. Damage is skipped: the next record is found
// by its magic number and verified by its checksum, so that only damaged records
// are lost.
import { Buffer } from 'node:buffer';
import type { DiskFile } from '../../runtime/disk.js';
import {
  claimedMetaBytes,
  decodeRecord,
  HEADER_BYTES,
  RECORD_MAGIC,
  type RecordHeader,
  recordBytes,
} from '../format/record.js';
import { RECORD_ALIGNMENT_BYTES } from '../limits.js';
import { RecordPrefetch } from './record-prefetch.js';

export interface ScannedRecord extends RecordHeader {
  meta: Buffer;
  payloadOffset: number;
  /** Where its padding ends and the next record may begin. */
  endOffset: number;
}

export interface ScanEnd {
  /** Where the last whole record ends. */
  endOffset: number;
  /** Bytes between whole records that belong to none. */
  damagedBytes: number;
}

/** What one read brings: mostly a header with its description … */
const WINDOW_BYTES = 8 * 1024;
/** … and, behind records no longer than that, twice as much as the read before, up to this: many small records. */
const LARGEST_WINDOW_BYTES = 256 * 1024;

export class SegmentScanner {
  #window: Buffer = Buffer.alloc(0);
  #windowOffset = 0;
  #windowBytes = WINDOW_BYTES;
  /** Headers of large records. */
  readonly #prefetch: RecordPrefetch;
  #endOffset: number;
  #damagedBytes = 0;

  readonly #file: DiskFile;
  readonly #segment: number;
  readonly #sizeBytes: number;
  readonly #salt: bigint;
  readonly #fromOffset: number;

  constructor(file: DiskFile, segment: number, sizeBytes: number, salt: bigint, fromOffset = 0) {
    this.#file = file;
    this.#prefetch = new RecordPrefetch(file, WINDOW_BYTES, sizeBytes);
    this.#segment = segment;
    this.#sizeBytes = sizeBytes;
    this.#salt = salt;
    this.#fromOffset = fromOffset;
    this.#endOffset = fromOffset;
  }

  /** The records in order. Fails when the disk does. The file is used until the generator has ended. */
  async *records(): AsyncGenerator<ScannedRecord> {
    try {
      yield* this.#inOrder();
    } finally {
      await this.#prefetch.end();
    }
  }

  async *#inOrder(): AsyncGenerator<ScannedRecord> {
    let offset = this.#fromOffset;
    while (offset + HEADER_BYTES <= this.#sizeBytes) {
      const record = await this.#recordAt(offset);
      if (record === undefined) {
        offset = await this.#search(offset + RECORD_ALIGNMENT_BYTES);
        continue;
      }
      const bytes = record.endOffset - offset;
      const isSmall = bytes <= WINDOW_BYTES;
      this.#windowBytes = isSmall ? Math.min(2 * this.#window.length, LARGEST_WINDOW_BYTES) : WINDOW_BYTES;
      if (!isSmall) this.#prefetch.expect(record.endOffset, bytes);
      this.#damagedBytes += offset - this.#endOffset;
      this.#endOffset = record.endOffset;
      yield record;
      offset = record.endOffset;
    }
  }

  /** Known when `records` has ended. */
  get end(): ScanEnd {
    return { endOffset: this.#endOffset, damagedBytes: this.#damagedBytes };
  }

  /** The record at `offset`; undefined when there is none, or when the file ends within its payload. */
  async #recordAt(offset: number): Promise<ScannedRecord | undefined> {
    const metaBytes = claimedMetaBytes(await this.#load(offset, HEADER_BYTES, this.#windowBytes));
    if (metaBytes === undefined) return undefined;
    const bytes = await this.#load(offset, HEADER_BYTES + metaBytes, this.#windowBytes);
    const header = decodeRecord(bytes, { segment: this.#segment, offset }, this.#salt);
    if (header === undefined) return undefined;
    const payloadOffset = offset + HEADER_BYTES + metaBytes;
    const endOffset = offset + recordBytes(metaBytes, header.payloadBytes);
    if (endOffset > this.#sizeBytes) return undefined;
    const { kind, key, place, payloadBytes } = header;
    const meta = Buffer.from(bytes.subarray(HEADER_BYTES));
    return { kind, key, place, metaBytes, payloadBytes, meta, payloadOffset, endOffset };
  }

  /** Where the next record may begin; the end of the file when nowhere. */
  async #search(from: number): Promise<number> {
    let offset = from;
    while (offset + HEADER_BYTES <= this.#sizeBytes) {
      const bytes = await this.#load(offset, HEADER_BYTES, LARGEST_WINDOW_BYTES, true);
      for (let at = bytes.indexOf(RECORD_MAGIC); at >= 0; at = bytes.indexOf(RECORD_MAGIC, at + 1)) {
        if ((offset + at) % RECORD_ALIGNMENT_BYTES === 0) return offset + at;
      }
      // The last alignment unit is kept for the next window: a magic number may begin in it.
      const stepped = bytes.length - (bytes.length % RECORD_ALIGNMENT_BYTES);
      offset += Math.max(RECORD_ALIGNMENT_BYTES, stepped);
    }
    return this.#sizeBytes;
  }

  /** `bytes` bytes from `offset`, fewer at the end of the file; with `everything`, all that the window has from there. */
  async #load(offset: number, bytes: number, windowBytes: number, everything = false): Promise<Buffer> {
    const wanted = Math.min(bytes, this.#sizeBytes - offset);
    if (offset < this.#windowOffset || offset + wanted > this.#windowOffset + this.#window.length) {
      const ahead = await this.#prefetch.take(offset);
      const hasEnough = ahead !== undefined && ahead.length >= wanted;
      this.#window = hasEnough ? ahead : await this.#read(offset, Math.max(windowBytes, bytes));
      this.#windowOffset = offset;
    }
    const start = offset - this.#windowOffset;
    return this.#window.subarray(start, everything ? this.#window.length : start + wanted);
  }

  async #read(offset: number, bytes: number): Promise<Buffer> {
    const window = Buffer.allocUnsafe(Math.min(bytes, this.#sizeBytes - offset));
    return window.subarray(0, await this.#file.read(window, offset));
  }
}
