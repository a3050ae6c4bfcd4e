// Direct reads (O_DIRECT), past the page cache: what lies close together in a
// segment, of one version or many, is read at once into the memory that it is
// hashed in and sent from. Only runs that are long enough, and that CacheGuess
// takes to be outside of the cache.
import type { Buffer } from 'node:buffer';
import { PAGE_BYTES } from '../../protocol/values/hash.js';
import { lend } from '../../protocol/wire/lent.js';
import { errorFields } from '../../runtime/caught-errors.js';
import type { Clock } from '../../runtime/clock.js';
import { DIRECT_ALIGNMENT_BYTES } from '../../runtime/disk.js';
import type { Log } from '../../runtime/log.js';
import type { Pacer } from '../../runtime/pacer.js';
import { type VersionRow, ZEROS_SEGMENT } from '../format/version-row.js';
import {
  DIRECT_READ_BYTES,
  DIRECT_READ_GAP_BYTES,
  DIRECT_READ_MAXIMUM_BYTES,
  KEPT_DIRECT_MEMORIES,
} from '../limits.js';
import type { Segments } from '../log/segments.js';
import type { UnsafeSegments } from '../log/unsafe-segments.js';
import { CacheGuess } from './cache-guess.js';
import { spansOf } from './page-reader.js';
import { type Loaded, ReadAhead, type Stretch } from './read-ahead.js';

/** `count` pages of a version, from page `first` on. */
export interface PageRange {
  row: VersionRow;
  first: number;
  count: number;
}

/** For each range the bytes, lent; undefined for a range that is to be read through the cache. */
export type DirectBytes = readonly (Buffer | undefined)[];

interface Piece {
  /** The position of its range among all ranges. */
  place: number;
  segment: number;
  offset: number;
  lengthBytes: number;
}

/** Pieces of one segment in order, with gaps of at most DIRECT_READ_GAP_BYTES, such as the headers of records. */
interface Run extends Stretch {
  pieces: Piece[];
}

const NOTHING: readonly Run[] = [];
/** Fits into the memory even after both ends are aligned. */
const MAXIMUM_RUN_BYTES = DIRECT_READ_MAXIMUM_BYTES - 2 * DIRECT_ALIGNMENT_BYTES;

export interface DirectReaderParts {
  segments: Segments;
  unsafe: UnsafeSegments;
  pacer: Pacer;
  clock: Clock;
  log: Log;
}

export class DirectReader {
  /** In units of DIRECT_ALIGNMENT_BYTES: a count of bytes would soon pass 2^31, and V8 would compile the methods anew. */
  #readPages = 0;
  readonly #guess: CacheGuess;
  readonly #ahead: ReadAhead;
  readonly #free: Buffer[] = [];
  #isSupported = true;
  /** Calls of `read` that are under way. */
  #underWay = 0;
  /** Runs that use memory. */
  #filling = 0;

  readonly #parts: DirectReaderParts;
  readonly #minimumBytes: number;

  /** @param minimumBytes a shorter run is read through the cache */
  constructor(parts: DirectReaderParts, minimumBytes = DIRECT_READ_BYTES) {
    this.#parts = parts;
    this.#minimumBytes = minimumBytes;
    this.#guess = new CacheGuess(parts.segments, parts.pacer, minimumBytes);
    this.#ahead = new ReadAhead(parts.clock, (memory) => this.#giveBack(memory));
  }

  /** Bytes that direct reads have read. */
  get readBytes(): number {
    return this.#readPages * DIRECT_ALIGNMENT_BYTES;
  }

  /** Reads directly what is worth it; the caller gives the bytes back. undefined when nothing is. Never rejects. */
  read(ranges: readonly (PageRange | undefined)[]): Promise<DirectBytes> | undefined {
    const runs = this.#isSupported ? this.#runs(ranges) : NOTHING;
    return runs.length === 0 ? undefined : this.#readRuns(runs);
  }

  async #readRuns(runs: readonly Run[]): Promise<DirectBytes> {
    const bytes: (Buffer | undefined)[] = [];
    this.#underWay++;
    try {
      await Promise.all(runs.map((run) => this.#read(run, bytes)));
    } finally {
      this.#underWay--;
    }
    return bytes;
  }

  /** A failure is only noted: the caller reads the run through the cache, and fails there if the disk does. */
  async #read(run: Run, bytes: (Buffer | undefined)[]): Promise<void> {
    const { segment, from, to } = run;
    // After a failed sync the right bytes may be in the cache only.
    if (this.#parts.unsafe.has(segment) || this.#filling >= KEPT_DIRECT_MEMORIES) return;
    this.#filling++;
    try {
      if (await this.#guess.isForDirect(segment, from, to)) await this.#fill(run, bytes);
    } catch (error) {
      this.#noteFailure(segment, error);
    } finally {
      this.#filling--;
    }
  }

  async #fill(run: Run, bytes: (Buffer | undefined)[]): Promise<void> {
    const { segment, to, pieces } = run;
    const isNext = this.#ahead.follows(run);
    const taken = await this.#ahead.take(run);
    const reading = taken ?? this.#load(run);
    // Read-ahead for a lone sequential reader.
    if (isNext && this.#underWay === 1) this.#readOn(segment, to);
    const { from, memory } = await reading;
    let holders = pieces.length;
    for (const { place, offset, lengthBytes } of pieces) {
      bytes[place] = lend(memory.subarray(offset - from, offset - from + lengthBytes), () => {
        holders--;
        if (holders === 0) this.#giveBack(memory);
      });
    }
  }

  #readOn(segment: number, from: number): void {
    const to = Math.min(from + MAXIMUM_RUN_BYTES, this.#parts.segments.sizeOf(segment));
    if (to - from < this.#minimumBytes || !this.#guess.expectsDirect(segment, from, to)) return;
    const stretch = { segment, from, to };
    this.#ahead.begin(stretch, () => this.#load(stretch).catch(() => undefined));
  }

  /** Rejects when the segment ends before the stretch does. */
  async #load({ segment, from, to }: Stretch): Promise<Loaded> {
    const start = Math.floor(from / DIRECT_ALIGNMENT_BYTES) * DIRECT_ALIGNMENT_BYTES;
    const sizeBytes = Math.ceil((to - start) / DIRECT_ALIGNMENT_BYTES) * DIRECT_ALIGNMENT_BYTES;
    const memory = await this.#parts.segments.use(segment, async (file) => {
      const taken = this.#free.pop() ?? (await file.directMemory(DIRECT_READ_MAXIMUM_BYTES));
      try {
        const readBytes = await file.readDirect(taken.subarray(0, sizeBytes), start);
        if (readBytes < to - start) throw new Error(`the segment ends after ${start + readBytes} bytes`);
      } catch (error) {
        this.#giveBack(taken);
        throw error;
      }
      return taken;
    });
    this.#readPages += sizeBytes / DIRECT_ALIGNMENT_BYTES;
    return { from: start, memory };
  }

  #giveBack(memory: Buffer): void {
    if (this.#free.length < KEPT_DIRECT_MEMORIES) this.#free.push(memory);
  }

  #noteFailure(segment: number, error: unknown): void {
    const fields = { segment, ...errorFields(error) };
    if (!(error instanceof Error && 'code' in error && error.code === 'EINVAL')) {
      this.#parts.log.debug('direct.failed', fields);
      return;
    }
    this.#isSupported = false;
    this.#parts.log.info('direct.unsupported', fields);
  }

  /** Runs that are long enough for a direct read. */
  #runs(ranges: readonly (PageRange | undefined)[]): readonly Run[] {
    let sizeBytes = 0;
    for (const range of ranges)
      if (range !== undefined) sizeBytes += Math.min(range.row.length, range.count * PAGE_BYTES);
    if (sizeBytes < this.#minimumBytes) return NOTHING;
    const runs: Run[] = [];
    for (const piece of piecesOf(ranges)) {
      const last = runs.at(-1);
      const to = piece.offset + piece.lengthBytes;
      if (last !== undefined && continues(last, piece) && to - last.from <= MAXIMUM_RUN_BYTES) {
        last.to = to;
        last.pieces.push(piece);
      } else {
        runs.push({ segment: piece.segment, from: piece.offset, to, pieces: [piece] });
      }
    }
    return runs.filter(({ from, to }) => to - from >= this.#minimumBytes && to - from <= MAXIMUM_RUN_BYTES);
  }
}

/** The ranges that lie in one piece, in the order of the log. */
function piecesOf(ranges: readonly (PageRange | undefined)[]): Piece[] {
  const pieces: Piece[] = [];
  for (const [place, range] of ranges.entries()) {
    if (range === undefined) continue;
    const [span, ...more] = spansOf(range.row, range.first, range.count);
    if (span === undefined || more.length > 0 || span.segment === ZEROS_SEGMENT) continue;
    pieces.push({ place, segment: span.segment, offset: span.offset, lengthBytes: span.end - span.start });
  }
  return pieces.sort((a, b) => a.segment - b.segment || a.offset - b.offset);
}

function continues({ segment, to }: Run, piece: Piece): boolean {
  return piece.segment === segment && piece.offset >= to && piece.offset - to <= DIRECT_READ_GAP_BYTES;
}
