// What a put comes to, decided against what is stored now: its answer, and the
// record to write for it when one is needed.
import { Buffer } from 'node:buffer';
import type { BlockKey, PatchPut, PutItem, PutResult, WholePut } from '../../protocol/services/blocks.js';
import { type Hash, hashOfPages, hashPages, PAGE_BYTES, pageCount } from '../../protocol/values/hash.js';
import type { Clock } from '../../runtime/clock.js';
import type { VersionDraft } from '../format/draft.js';
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
  draft: VersionDraft | null;
}

/** `replace`: other content under the same version gives way. */
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
  return { result: { state: 'stored', hash }, draft: wholeDraft(parts, item, pageHashes, existing) };
}

async function planPatch(
  parts: PutParts,
  item: PatchPut,
  replace: boolean,
  existing: VersionRow | undefined,
): Promise<PutPlan> {
  // A repeat is answered although its base may be gone by now.
  if (existing !== undefined && !replace && (await isIntact(parts, existing))) return storedBefore(existing);
  const base = parts.catalog.get({ inode: item.inode, index: item.index, version: item.base });
  if (base === undefined) return { result: { state: 'no-base' }, draft: null };
  if (storedHash(base) !== item.baseHash) return { result: { state: 'bad-base' }, draft: null };
  try {
    const { pageHashes, kept, fresh, payload } = await applyPatch(base, item, parts.reader);
    const hash = hashOfPages(pageHashes, item.length);
    const existingResult = await resultOfExisting(parts, existing, hash, replace);
    if (existingResult !== null) return existingResult;
    const draft: VersionDraft = {
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
    return { result: { state: 'stored', hash }, draft: mustFold ? await foldDraft(parts, base, draft) : draft };
  } catch (error) {
    if (error instanceof DamagedBaseError) return { result: { state: 'bad-base' }, draft: null };
    if (error instanceof UnreadableError) return { result: { state: 'no-base' }, draft: null };
    throw error;
  }
}

/**
 * The same version as a whole record of its own. Page hashes stay as they are, so that a page that rotted is still told
 * from a good one. Throws UnreadableError.
 */
export async function foldVersion(reader: PageReader, key: BlockKey, row: VersionRow): Promise<VersionDraft> {
  const bytes = await reader.read(row, 0, pageCount(row.length));
  const { length, modifiedNs, firstSegment, pageHashes } = row;
  return { kind: 'version', key, length, modifiedNs, firstSegment, pageHashes, ...wholePages(length, [bytes]) };
}

/** The draft with the pages that it keeps of its base read and written again. Throws UnreadableError. */
async function foldDraft({ reader }: PutParts, base: VersionRow, draft: VersionDraft): Promise<VersionDraft> {
  const bytes = Buffer.alloc(draft.length);
  for (const { firstPage, pageCount: count, place } of draft.kept) {
    // Zeros may lie behind the end of the base; all other pages have the length that they have there.
    if (place.segment === ZEROS_SEGMENT) continue;
    (await reader.read(base, firstPage, count)).copy(bytes, firstPage * PAGE_BYTES);
  }
  const fresh = Buffer.concat(draft.payload);
  let at = 0;
  for (const { firstPage, pageCount: count } of draft.fresh) {
    const end = at + bytesOfPages(firstPage, count, draft.length);
    fresh.copy(bytes, firstPage * PAGE_BYTES, at, end);
    at = end;
  }
  return { ...draft, ...wholePages(draft.length, [bytes]) };
}

function wholeDraft(
  { clock }: PutParts,
  item: WholePut,
  pageHashes: Buffer,
  existing: VersionRow | undefined,
): VersionDraft {
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

function wholePages(length: number, payload: Uint8Array[]): Pick<VersionDraft, 'kept' | 'fresh' | 'payload'> {
  const pages = pageCount(length);
  return { kept: [], fresh: pages === 0 ? [] : [{ firstPage: 0, pageCount: pages }], payload };
}

/** The answer when what is there already settles the put; null when it must be written. */
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
  return { result: { state: 'stored', hash: storedHash(row) }, draft: null };
}

/** Whether all bytes of the version are what they were, in a place that survives. */
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
