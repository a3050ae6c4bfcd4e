// A stored version: its length, the hash of each page, and where its pages lie
// in the log. The same bytes are in the version's record and in the index, so
// that each record can be understood without another.
import { Buffer } from 'node:buffer';
import { hashOfPages, PAGE_BYTES, pageCount } from '../../protocol/values/hash.js';
import { MAXIMUM_BLOCK_BYTES } from '../limits.js';

/** A place in the log. Segment numbers start at 1 and are never used again. */
export interface Place {
  segment: number;
  offset: number;
}

/** Consecutive pages of a block that lie behind each other in one record. Segment 0: zeros that are stored nowhere. */
export interface PageExtent {
  firstPage: number;
  pageCount: number;
  place: Place;
}

export interface VersionRow {
  length: number;
  /** When it was first stored here, nanoseconds since 1970. */
  modifiedNs: bigint;
  /** Where its record begins. */
  home: Place;
  /** No record of this version lies in an earlier segment than this. */
  firstSegment: number;
  /** In page order, without gaps. */
  extents: PageExtent[];
  /** 8 bytes a page, little-endian. */
  pageHashes: Buffer;
}

export const ZEROS_SEGMENT = 0;

const FIXED_BYTES = 28;
const EXTENT_BYTES = 16;

/** Bytes that `encodeRow` makes. */
export function rowBytes(extentCount: number, length: number): number {
  return FIXED_BYTES + extentCount * EXTENT_BYTES + pageCount(length) * 8;
}

export function encodeRow(row: VersionRow): Buffer {
  const bytes = Buffer.alloc(rowBytes(row.extents.length, row.length));
  bytes.writeUInt32LE(row.length, 0);
  bytes.writeUInt32LE(row.firstSegment, 4);
  bytes.writeBigInt64LE(row.modifiedNs, 8);
  bytes.writeUInt32LE(row.home.segment, 16);
  bytes.writeUInt32LE(row.home.offset, 20);
  bytes.writeUInt16LE(row.extents.length, 24);
  let at = FIXED_BYTES;
  for (const extent of row.extents) {
    bytes.writeUInt32LE(extent.firstPage, at);
    bytes.writeUInt32LE(extent.pageCount, at + 4);
    bytes.writeUInt32LE(extent.place.segment, at + 8);
    bytes.writeUInt32LE(extent.place.offset, at + 12);
    at += EXTENT_BYTES;
  }
  bytes.set(row.pageHashes, at);
  return bytes;
}

/** undefined when the bytes are no valid row, which is damage whatever their checksum says. */
export function decodeRow(bytes: Buffer): VersionRow | undefined {
  if (bytes.length < FIXED_BYTES) return undefined;
  const length = bytes.readUInt32LE(0);
  const extentCount = bytes.readUInt16LE(24);
  if (length > MAXIMUM_BLOCK_BYTES || bytes.length !== rowBytes(extentCount, length)) return undefined;
  const extents: PageExtent[] = [];
  let nextPage = 0;
  let at = FIXED_BYTES;
  for (let left = extentCount; left > 0; left--, at += EXTENT_BYTES) {
    const extent = {
      firstPage: bytes.readUInt32LE(at),
      pageCount: bytes.readUInt32LE(at + 4),
      place: { segment: bytes.readUInt32LE(at + 8), offset: bytes.readUInt32LE(at + 12) },
    };
    if (extent.firstPage !== nextPage || extent.pageCount === 0) return undefined;
    nextPage += extent.pageCount;
    extents.push(extent);
  }
  if (nextPage !== pageCount(length)) return undefined;
  return {
    length,
    modifiedNs: bytes.readBigInt64LE(8),
    home: { segment: bytes.readUInt32LE(16), offset: bytes.readUInt32LE(20) },
    firstSegment: bytes.readUInt32LE(4),
    extents,
    pageHashes: bytes.subarray(at),
  };
}

/** The block's hash from the stored page hashes. */
export function storedHash(row: VersionRow): bigint {
  return hashOfPages(row.pageHashes, row.length);
}

/** Whether `place` lies behind `other` in the log. */
export function isBehind(place: Place, other: Place): boolean {
  return place.segment > other.segment || (place.segment === other.segment && place.offset > other.offset);
}

/** Bytes of a page in a block of `length`: all pages are full but the last. */
export function bytesOfPage(page: number, length: number): number {
  return Math.min(PAGE_BYTES, length - page * PAGE_BYTES);
}

/** Bytes of `count` pages from `first` on. */
export function bytesOfPages(first: number, count: number, length: number): number {
  return Math.min((first + count) * PAGE_BYTES, length) - first * PAGE_BYTES;
}

/** The parts of the extents within [from, to) pages. */
export function clipExtents(extents: readonly PageExtent[], from: number, to: number): PageExtent[] {
  const clipped: PageExtent[] = [];
  for (const { firstPage, pageCount: count, place } of extents) {
    const start = Math.max(firstPage, from);
    const end = Math.min(firstPage + count, to);
    if (start >= end) continue;
    const offset = place.segment === ZEROS_SEGMENT ? 0 : place.offset + (start - firstPage) * PAGE_BYTES;
    clipped.push({ firstPage: start, pageCount: end - start, place: { segment: place.segment, offset } });
  }
  return clipped;
}

/** Whether any byte of the version, or its record, lies in the segment at or behind `offset`. */
export function refersTo(row: VersionRow, segment: number, offset: number): boolean {
  const lies = (place: Place) => place.segment === segment && place.offset >= offset;
  return lies(row.home) || row.extents.some(({ place }) => lies(place));
}
