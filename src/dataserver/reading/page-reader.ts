// Reads pages of a version from the log and hashes them. Consecutive pages on
// the disk are read with one call, also across records.
import { Buffer } from 'node:buffer';
import { hashPage, PAGE_BYTES, writePageHashes } from '../../protocol/values/hash.js';
import { BufferPool } from '../../protocol/wire/buffer-pool.js';
import { lend } from '../../protocol/wire/lent.js';
import { hasCode, messageOf } from '../../runtime/caught-errors.js';
import type { DiskFile } from '../../runtime/disk.js';
import type { Pacer } from '../../runtime/pacer.js';
import { bytesOfPages, clipExtents, type VersionRow, ZEROS_SEGMENT } from '../format/version-row.js';
import type { Segments } from '../log/segments.js';

/** The bytes can't be had: the disk failed, or the file is gone or too short. */
export class UnreadableError extends Error {
  override readonly name = 'UnreadableError';

  /** Whether they are not there: the file is gone or too short. */
  get isMissing(): boolean {
    return this.cause instanceof MissingBytesError || hasCode(this.cause, 'ENOENT');
  }
}

class MissingBytesError extends Error {
  override readonly name = 'MissingBytesError';
}

/** Reads that may be under way at once without allocating. */
const SCRATCH_BUFFERS = 16;

/** One read: bytes [start, end) of the result come from this place in the log. */
export interface Span {
  segment: number;
  offset: number;
  start: number;
  end: number;
}

export class PageReader {
  readonly #scratch: Buffer[] = [];
  readonly #pool = new BufferPool();

  readonly #segments: Segments;
  readonly #pacer: Pacer;

  constructor(segments: Segments, pacer: Pacer) {
    this.#segments = segments;
    this.#pacer = pacer;
  }

  /**
   * The bytes of `count` pages from `first` on, as they are on the disk now. They are lent: whoever can gives them back.
   * Throws UnreadableError.
   */
  async read(row: VersionRow, first: number, count: number): Promise<Buffer> {
    const bytes = this.#pool.take(count === 0 ? 0 : bytesOfPages(first, count, row.length));
    const reading = this.#readInto(bytes, row, first, count);
    if (reading !== undefined) await reading;
    return lend(bytes, () => this.#pool.release(bytes));
  }

  /** Reads the same for `use`, which must not keep the bytes: their memory is used again. */
  async inspect<T>(row: VersionRow, first: number, count: number, use: (bytes: Buffer) => T): Promise<T> {
    const sizeBytes = count === 0 ? 0 : bytesOfPages(first, count, row.length);
    let scratch = this.#scratch.pop() ?? Buffer.alloc(0);
    if (scratch.length < sizeBytes) scratch = Buffer.allocUnsafeSlow(sizeBytes);
    try {
      const bytes = scratch.subarray(0, sizeBytes);
      const reading = this.#readInto(bytes, row, first, count);
      if (reading !== undefined) await reading;
      return use(bytes);
    } finally {
      if (this.#scratch.length < SCRATCH_BUFFERS) this.#scratch.push(scratch);
    }
  }

  /** Blocks while the disk is quick, which takes no longer than waiting and leaves the bytes in the processor's cache. */
  #readInto(bytes: Buffer, row: VersionRow, first: number, count: number): Promise<void> | undefined {
    const spans = spansOf(row, first, count);
    for (const [position, span] of spans.entries()) {
      if (!this.#fillNow(bytes, span)) return this.#fillLater(bytes, spans.slice(position));
    }
    return undefined;
  }

  /** Reads blocking. Answers false, having done nothing, when that might stop the event loop for too long. */
  #fillNow(bytes: Buffer, span: Span): boolean {
    const target = bytes.subarray(span.start, span.end);
    if (span.segment === ZEROS_SEGMENT) {
      target.fill(0);
      return true;
    }
    const file = this.#pacer.isQuick ? this.#segments.openedFile(span.segment) : undefined;
    if (file === undefined) return false;
    try {
      check(
        span,
        this.#pacer.runNow(target.length, () => file.readNow(target, span.offset)),
      );
    } catch (error) {
      throw unreadable(span, error);
    }
    return true;
  }

  async #fillLater(bytes: Buffer, spans: readonly Span[]): Promise<void> {
    for (const span of spans) {
      if (this.#fillNow(bytes, span)) continue;
      const target = bytes.subarray(span.start, span.end);
      try {
        const read = (file: DiskFile) =>
          this.#pacer.run(
            target.length,
            () => file.readNow(target, span.offset),
            () => file.read(target, span.offset),
          );
        check(span, await this.#segments.use(span.segment, read));
      } catch (error) {
        throw unreadable(span, error);
      }
    }
  }
}

function check({ start, end }: Span, readBytes: number): void {
  if (readBytes < end - start)
    throw new MissingBytesError(`the segment ends after ${readBytes} of ${end - start} bytes`);
}

function unreadable({ segment, offset }: Span, error: unknown): UnreadableError {
  const words = messageOf(error);
  return new UnreadableError(`segment ${segment} at ${offset}: ${words}`, { cause: error });
}

/** The row's page hashes, with fresh ones for the pages in `bytes`, the first of which is page `first`. */
export function rehash(row: VersionRow, first: number, bytes: Buffer): Buffer {
  const hashes = Buffer.from(row.pageHashes);
  writePageHashes(hashes, first, bytes);
  return hashes;
}

/** Whether the bytes of a page still have the hash that was stored with them. */
export function pageIsIntact(row: VersionRow, page: number, bytes: Uint8Array): boolean {
  return hashPage(bytes) === row.pageHashes.readBigUInt64LE(page * 8);
}

/** Where pages lie in the log; consecutive ones form one span. */
export function spansOf(row: VersionRow, first: number, count: number): Span[] {
  const spans: Span[] = [];
  for (const extent of clipExtents(row.extents, first, first + count)) {
    const { segment, offset } = extent.place;
    const start = (extent.firstPage - first) * PAGE_BYTES;
    const end = start + bytesOfPages(extent.firstPage, extent.pageCount, row.length);
    const last = spans.at(-1);
    if (last !== undefined && last.segment === segment && last.offset + (last.end - last.start) === offset) {
      last.end = end;
    } else {
      spans.push({ segment, offset, start, end });
    }
  }
  return spans;
}
