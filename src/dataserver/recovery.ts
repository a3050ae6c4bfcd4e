// Brings the index up to date with the log when a store is opened. An index of
// this boot lacks only what was logged after its checkpoint: that is replayed.
// An index of another boot may lack anything, and is rebuilt from all segments.
import { Buffer } from 'node:buffer';

import { pageCount } from '../protocol/values/hash.js';
import type { Log } from '../runtime/log.js';
import { decodeTombstones, HEADER_BYTES } from './format/record.js';
import { decodeRow, type Place, type VersionRow } from './format/version-row.js';
import type { Catalog } from './index/catalog.js';
import { INDEX_SAVE_BLOCKS, ZEROS_AHEAD_BYTES } from './limits.js';
import { type ScannedRecord, SegmentScanner } from './log/scanner.js';
import { ZEROS } from './log/segment-log.js';
import type { Segments } from './log/segments.js';
import type { UnsafeSegments } from './log/unsafe-segments.js';
import type { PageReader } from './reading/page-reader.js';
import { rehash, UnreadableError } from './reading/page-reader.js';

const NO_HEADER = Buffer.alloc(HEADER_BYTES);

export interface RecoveryParts {
  catalog: Catalog;
  segments: Segments;
  unsafe: UnsafeSegments;
  reader: PageReader;
  salt: bigint;
  log: Log;
}

export interface Recovered {
  /** The last segment, 0 when there is none, and where its last record ends. */
  lastNumber: number;
  endOffset: number;
}

/**
 * Replays the log into the catalog, and cuts the torn tail off the last segment. Payloads are checked in the last segment and
 * in unsafe ones: there an interrupted write may have left a header alone.
 * @param trusted whether the index was written since this machine was booted; then only the log behind its checkpoint is read
 */
export async function recover(parts: RecoveryParts, numbers: readonly number[], trusted: boolean): Promise<Recovered> {
  const { catalog, segments, unsafe, log } = parts;
  const lastNumber = numbers.at(-1) ?? 0;
  const start = startOf(parts, trusted);
  if (start === undefined) catalog.clear();
  const replay = new Replay(parts);
  let endOffset = 0;
  for (const number of numbers) {
    const fromOffset = number === start?.segment ? start.offset : 0;
    if (start !== undefined && number < start.segment) continue;
    const isLast = number === lastNumber;
    endOffset = await replay.segment(number, fromOffset, isLast || unsafe.has(number));
    if (isLast) await cutTail(parts, number, endOffset);
  }
  for (const number of catalog.segments()) if (!segments.has(number)) catalog.forgetSegment(number);
  catalog.reach({ segment: lastNumber, offset: endOffset });
  catalog.save();
  const { blocks } = catalog;
  const fields = { blocks, segments: numbers.length, replayed: replay.records, damagedBytes: replay.damagedBytes };
  if (start === undefined && numbers.length > 0) log.info('index.rebuilt', fields);
  if (replay.damagedBytes > 0 || replay.dropped > 0)
    log.warn('store.damage_found', { ...fields, dropped: replay.dropped });
  return { lastNumber, endOffset };
}

/** Where the replay starts; undefined when the index can't be used. */
function startOf({ catalog, segments, log }: RecoveryParts, trusted: boolean): Place | undefined {
  if (!trusted) return undefined;
  const checkpoint = catalog.load();
  if (checkpoint === undefined) return undefined;
  const { segment, offset } = checkpoint;
  if (segment === 0 || (segments.has(segment) && segments.sizeOf(segment) >= offset)) return { segment, offset };
  log.warn('index.ahead', { segment, offset, sizeBytes: segments.sizeOf(segment) });
  return undefined;
}

/** Cuts off what lies behind the last whole record: a write that was never acknowledged, or zeros written ahead. */
async function cutTail({ segments, log }: RecoveryParts, number: number, endOffset: number): Promise<void> {
  const bytes = segments.sizeOf(number) - endOffset;
  if (bytes <= 0) return;
  const isZeros = await segments.use(number, async (file) => {
    const tail = Buffer.allocUnsafe(Math.min(bytes, ZEROS_AHEAD_BYTES));
    const read = await file.read(tail, endOffset);
    await file.truncate(endOffset);
    return bytes <= ZEROS_AHEAD_BYTES && tail.subarray(0, read).equals(ZEROS.subarray(0, read));
  });
  segments.setSize(number, endOffset);
  if (!isZeros) log.warn('segment.tail_cut', { segment: number, bytes });
}

class Replay {
  records = 0;
  damagedBytes = 0;
  /** Records whose payload never arrived. */
  dropped = 0;

  readonly #parts: RecoveryParts;

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
  }

  /** Replays a segment. Answers where its last good record ends. */
  segment(number: number, fromOffset: number, checked: boolean): Promise<number> {
    const { segments, salt, catalog } = this.#parts;
    return segments.use(number, async (file) => {
      const scanner = new SegmentScanner(file, number, segments.sizeOf(number), salt, fromOffset);
      let endOffset = fromOffset;
      for await (const record of scanner.records()) {
        this.records++;
        if (await this.#apply(record, checked)) {
          endOffset = record.endOffset;
        } else {
          // The header is overwritten, since good records may follow it, and a later start would not check this segment again.
          await file.write([NO_HEADER], record.place.offset);
          this.dropped++;
        }
        if (catalog.pending < INDEX_SAVE_BLOCKS) continue;
        catalog.reach({ segment: number, offset: record.endOffset });
        catalog.save();
      }
      this.damagedBytes += scanner.end.damagedBytes;
      return endOffset;
    });
  }

  async #apply(record: ScannedRecord, checked: boolean): Promise<boolean> {
    const { catalog } = this.#parts;
    switch (record.kind) {
      case 'version': {
        const row = decodeRow(record.meta);
        if (row === undefined || (checked && !(await this.#arrived(record, row)))) return false;
        catalog.put(record.key, row);
        return true;
      }
      case 'tombstones': {
        const tombstones = decodeTombstones(record.meta);
        for (const tombstone of tombstones) catalog.apply(tombstone);
        catalog.addTombstones(record.place.segment, tombstones);
        return true;
      }
    }
  }

  /** Whether the pages in the record's payload have the hashes in its row. */
  async #arrived({ place, endOffset }: ScannedRecord, row: VersionRow): Promise<boolean> {
    for (const extent of row.extents) {
      const { segment, offset } = extent.place;
      if (segment !== place.segment || offset < place.offset || offset >= endOffset) continue;
      try {
        const bytes = await this.#parts.reader.read(row, extent.firstPage, extent.pageCount);
        const from = extent.firstPage * 8;
        const to = Math.min(extent.firstPage + extent.pageCount, pageCount(row.length)) * 8;
        const hashes = rehash(row, extent.firstPage, bytes);
        if (!hashes.subarray(from, to).equals(row.pageHashes.subarray(from, to))) return false;
      } catch (error) {
        // What the disk does not read now may be there all the same, and reads find out.
        if (error instanceof UnreadableError) return !error.isMissing;
        throw error;
      }
    }
    return true;
  }
}
