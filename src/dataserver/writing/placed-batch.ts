// The records of a batch at their places in the log. A direct append begins and
// ends at multiples of DIRECT_ALIGNMENT_BYTES: fillers take what is between.
import { Buffer } from 'node:buffer';
import { DIRECT_ALIGNMENT_BYTES } from '../../runtime/disk.js';
import { encodeFiller, HEADER_BYTES } from '../format/record.js';
import { type PlacedRecord, placeRecord, type UnplacedRecord } from '../format/unplaced-record.js';
import type { Place } from '../format/version-row.js';
import type { AppendedBatch } from '../log/segment-log.js';

export interface PlacedBatch extends AppendedBatch {
  records: readonly PlacedRecord[];
}

const ZEROS = Buffer.alloc(DIRECT_ALIGNMENT_BYTES);

/** Places the records one behind the other from `place` on, which is where the log ends. */
export function placeBatch(
  unplaced: readonly UnplacedRecord[],
  { segment, offset }: Place,
  salt: bigint,
  isDirect: boolean,
): PlacedBatch {
  const filler: Uint8Array[] = [];
  const startOffset = isDirect ? fill({ segment, offset }, salt, filler) : offset;
  const records: PlacedRecord[] = [];
  const chunks: Uint8Array[] = [];
  let endOffset = startOffset;
  for (const record of unplaced) {
    const placed = placeRecord(record, { segment, offset: endOffset }, salt);
    records.push(placed);
    for (const chunk of placed.chunks) chunks.push(chunk);
    endOffset += placed.sizeBytes;
  }
  if (isDirect) endOffset = fill({ segment, offset: endOffset }, salt, chunks);
  return { records, filler, startOffset, chunks, endOffset, isDirect };
}

/** Fills the log up to a multiple of DIRECT_ALIGNMENT_BYTES. Answers that offset. */
function fill({ segment, offset }: Place, salt: bigint, chunks: Uint8Array[]): number {
  let end = Math.ceil(offset / DIRECT_ALIGNMENT_BYTES) * DIRECT_ALIGNMENT_BYTES;
  if (end === offset) return end;
  if (end - offset < HEADER_BYTES) end += DIRECT_ALIGNMENT_BYTES;
  const header = encodeFiller({ segment, offset }, end - offset, salt);
  chunks.push(header, ZEROS.subarray(0, Math.min(ZEROS.length, end - offset - header.length)));
  return end;
}
