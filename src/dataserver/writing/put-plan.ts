// Plans a put against what is stored now: its answer, and the record to write
// for it when one is needed.
import { Buffer } from 'node:buffer';
import type { BlockKey, PatchPut, PutItem, PutResult, WholePut } from '../../protocol/services/blocks.js';
import { type Hash, hashOfPages, hashPages, PAGE_BYTES, pageCount } from '../../protocol/values/hash.js';
import type { Clock } from '../../runtime/clock.js';
import type { UnplacedVersion } from '../format/unplaced-record.js';
import { bytesOfPages, storedHash, type VersionRow, ZEROS_SEGMENT } from '../format/version-row.js';
import type { Catalog } from '../index/catalog.js';
import { MAXIMUM_EXTENTS } from '../limits.js';
import type { SegmentLog } from '../log/segment-log.js';
import { type PageReader, rehash, UnreadableError } from '../reading/page-reader.js';
import { applyPatch, DamagedBaseError } from './patch.js';

export interface PutParts {
  catalog: Catalog;
  reader: PageReader;
  segmentLog: SegmentLog;
  clock: Clock;
}

export interface PutPlan {
  result: PutResult;
  /** null: nothing to write. */
  record: UnplacedVersion | null;
}

/** @param replace other content that is stored under the same version is replaced; else it stays, and its hash is the answer */
export function planPut(parts: PutParts, item: PutItem, replace: boolean): Promise<PutPlan> {
  const existing = parts.catalog.get(item);
  return 'data' in item ? planWhole(parts, item, replace, existing) : planPatch(parts, item, replace, existing);
}

async function planWhole(
  parts: PutParts,
  item: WholePut,
  replace: boolean,
  existing: VersionRow | undefined,
): Promise<PutPlan> {
  const pageHashes = Buffer.from(hashPages(item.data));
  const hash = hashOfPages(pageHashes, item.data.length);
  const kept = await resultOfExisting(parts, existing, hash, replace);
  if (kept !== null) return kept;
  return { result: { state: 'stored', hash }, record: wholeRecord(parts, item, pageHashes, existing) };
}

async function planPatch(
  parts: PutParts,
  item: PatchPut,
  replace: boolean,
  existing: VersionRow | undefined,
): Promise<PutPlan> {
  // A retry is answered although its base may have been deleted meanwhile.
  if (existing !== undefined && !replace && (await isIntact(parts, existing))) return storedBefore(existing);
  const base = parts.catalog.get({ inode: item.inode, index: item.index, version: item.base });
  if (base === undefined) return { result: { state: 'no-base' }, record: null };
  if (storedHash(base) !== item.baseHash) return { result: { state: 'bad-base' }, record: null };
  try {
    const { pageHashes, kept, fresh, payload } = await applyPatch(base, item, parts.reader);
    const hash = hashOfPages(pageHashes, item.length);
    const existingResult = await resultOfExisting(parts, existing, hash, replace);
    if (existingResult !== null) return existingResult;
    const record: UnplacedVersion = {
      kind: 'version',
      key: keyOf(item),
      length: item.length,
      modifiedNs: parts.clock.nowNs(),
      firstSegment: existing?.firstSegment,
      pageHashes,
      kept,
      fresh,
      payload,
    };
    const mustFold =
      kept.length + fresh.length > MAXIMUM_EXTENTS || kept.some(({ place }) => parts.segmentLog.isUnsafe(place));
    return { result: { state: 'stored', hash }, record: mustFold ? await foldRecord(parts, base, record) : record };
  } catch (error) {
    if (error instanceof DamagedBaseError) return { result: { state: 'bad-base' }, record: null };
    if (error instanceof UnreadableError) return { result: { state: 'no-base' }, record: null };
    throw error;
  }
}

/**
 * A stored version as one whole record. Page hashes are copied, not computed: a page that rotted must not get a good hash.
 * Throws UnreadableError.
 */
export async function foldVersion(reader: PageReader, key: BlockKey, row: VersionRow): Promise<UnplacedVersion> {
  const bytes = await reader.read(row, 0, pageCount(row.length));
  const { length, modifiedNs, firstSegment, pageHashes } = row;
  return { kind: 'version', key, length, modifiedNs, firstSegment, pageHashes, ...wholePages(length, [bytes]) };
}

/** The same version as one whole record: the pages that it keeps of its base are read and become part of its payload. Throws UnreadableError. */
async function foldRecord({ reader }: PutParts, base: VersionRow, record: UnplacedVersion): Promise<UnplacedVersion> {
  const bytes = Buffer.alloc(record.length);
  for (const { firstPage, pageCount: count, place } of record.kept) {
    // Zeros may lie behind the end of the base, where there is nothing to read.
    if (place.segment === ZEROS_SEGMENT) continue;
    (await reader.read(base, firstPage, count)).copy(bytes, firstPage * PAGE_BYTES);
  }
  const fresh = Buffer.concat(record.payload);
  let at = 0;
  for (const { firstPage, pageCount: count } of record.fresh) {
    const end = at + bytesOfPages(firstPage, count, record.length);
    fresh.copy(bytes, firstPage * PAGE_BYTES, at, end);
    at = end;
  }
  return { ...record, ...wholePages(record.length, [bytes]) };
}

function wholeRecord(
  { clock }: PutParts,
  item: WholePut,
  pageHashes: Buffer,
  existing: VersionRow | undefined,
): UnplacedVersion {
  const { data } = item;
  return {
    kind: 'version',
    key: keyOf(item),
    length: data.length,
    modifiedNs: clock.nowNs(),
    firstSegment: existing?.firstSegment,
    pageHashes,
    ...wholePages(data.length, [data]),
  };
}

function wholePages(length: number, payload: Uint8Array[]): Pick<UnplacedVersion, 'kept' | 'fresh' | 'payload'> {
  const pages = pageCount(length);
  return { kept: [], fresh: pages === 0 ? [] : [{ firstPage: 0, pageCount: pages }], payload };
}

/** The answer when the version is stored already and stays; null when the put must be written. */
async function resultOfExisting(
  parts: PutParts,
  existing: VersionRow | undefined,
  hash: Hash,
  replace: boolean,
): Promise<PutPlan | null> {
  if (existing === undefined) return null;
  if (storedHash(existing) === hash) return (await isIntact(parts, existing)) ? storedBefore(existing) : null;
  return replace ? null : storedBefore(existing);
}

function storedBefore(row: VersionRow): PutPlan {
  return { result: { state: 'stored', hash: storedHash(row) }, record: null };
}

/** Whether all pages of the version have their stored hashes, and none lies where a failed sync may lose it. */
async function isIntact({ reader, segmentLog }: PutParts, row: VersionRow): Promise<boolean> {
  if (segmentLog.isUnsafe(row.home) || row.extents.some(({ place }) => segmentLog.isUnsafe(place))) return false;
  try {
    return rehash(row, 0, await reader.read(row, 0, pageCount(row.length))).equals(row.pageHashes);
  } catch (error) {
    if (error instanceof UnreadableError) return false;
    throw error;
  }
}

/** Only the key of something that has one. */
function keyOf({ inode, index, version }: BlockKey): BlockKey {
  return { inode, index, version };
}
