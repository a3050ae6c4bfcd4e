// A record that has no place in the log yet. Placing it fixes where its pages
// lie, and with that the bytes of its header and description.
import { Buffer } from 'node:buffer';
import type { BlockKey } from '../../protocol/services/blocks.js';
import { PAGE_BYTES } from '../../protocol/values/hash.js';
import { assert } from '../../runtime/assert.js';
import { encodeRecord, encodeTombstones, HEADER_BYTES, NO_KEY, recordBytes, type Tombstone } from './record.js';
import { encodeRow, type PageExtent, type Place, rowBytes, type VersionRow } from './version-row.js';

/** Consecutive pages that this record's payload brings, in payload order. */
export interface FreshRun {
  firstPage: number;
  pageCount: number;
}

export interface UnplacedVersion {
  kind: 'version';
  key: BlockKey;
  length: number;
  modifiedNs: bigint;
  /** As in the row; undefined: this record's own segment. */
  firstSegment: number | undefined;
  pageHashes: Buffer;
  /** Pages that are stored already, in records of other versions. */
  kept: PageExtent[];
  fresh: FreshRun[];
  /** The bytes of the fresh pages, not copied: they must not change before they are written. */
  payload: readonly Uint8Array[];
}

export interface UnplacedTombstones {
  kind: 'tombstones';
  tombstones: readonly Tombstone[];
}

export type UnplacedRecord = UnplacedVersion | UnplacedTombstones;

export interface PlacedRecord {
  record: UnplacedRecord;
  place: Place;
  /** The version's row; undefined for tombstones. */
  row: VersionRow | undefined;
  chunks: Uint8Array[];
  sizeBytes: number;
}

const PADDING = Buffer.alloc(8);

export function payloadBytesOf(record: UnplacedRecord): number {
  return record.kind === 'version' ? bytesIn(record.payload) : 0;
}

/** Gives the record its place and its bytes. */
export function placeRecord(record: UnplacedRecord, place: Place, salt: bigint): PlacedRecord {
  switch (record.kind) {
    case 'version': {
      const row = rowOf(record, place);
      const payloadBytes = bytesIn(record.payload);
      const header = encodeRecord({ kind: 'version', key: record.key, place, payloadBytes }, encodeRow(row), salt);
      return finish(record, place, row, header, record.payload, payloadBytes);
    }
    case 'tombstones': {
      const meta = encodeTombstones(record.tombstones);
      const header = encodeRecord({ kind: 'tombstones', key: NO_KEY, place, payloadBytes: 0 }, meta, salt);
      return finish(record, place, undefined, header, [], 0);
    }
  }
}

/** Positional arguments, since this is on the way of every write. */
function finish(
  record: UnplacedRecord,
  place: Place,
  row: VersionRow | undefined,
  header: Buffer,
  payload: readonly Uint8Array[],
  payloadBytes: number,
): PlacedRecord {
  const sizeBytes = recordBytes(header.length - HEADER_BYTES, payloadBytes);
  const paddingBytes = sizeBytes - header.length - payloadBytes;
  const chunks = [header, ...payload];
  if (paddingBytes > 0) chunks.push(PADDING.subarray(0, paddingBytes));
  return { record, place, row, chunks, sizeBytes };
}

function rowOf(record: UnplacedVersion, place: Place): VersionRow {
  const { length, modifiedNs, pageHashes, kept, fresh, payload } = record;
  let offset = place.offset + HEADER_BYTES + rowBytes(kept.length + fresh.length, length);
  const extents = [...kept];
  const end = offset + bytesIn(payload);
  for (const { firstPage, pageCount } of fresh) {
    extents.push({ firstPage, pageCount, place: { segment: place.segment, offset } });
    offset = Math.min(end, offset + pageCount * PAGE_BYTES);
  }
  assert(offset === end, 'the payload has no more bytes than its fresh pages');
  if (kept.length > 0) extents.sort((a, b) => a.firstPage - b.firstPage);
  return { length, modifiedNs, home: place, firstSegment: record.firstSegment ?? place.segment, extents, pageHashes };
}

function bytesIn(chunks: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const chunk of chunks) bytes += chunk.length;
  return bytes;
}
