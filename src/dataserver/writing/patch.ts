// Applies a patch to a base version: which pages stay where they lie, which are
// new, and the page hashes of the result. A base page is read only when a write
// covers a part of it, and is verified first: damage must never get a good hash.
import { Buffer } from 'node:buffer';
import type { Extent, PatchPut } from '../../protocol/services/blocks.js';
import { hashPage, PAGE_BYTES, pageCount } from '../../protocol/values/hash.js';
import type { FreshRun } from '../format/unplaced-record.js';
import { bytesOfPage, clipExtents, type PageExtent, type VersionRow, ZEROS_SEGMENT } from '../format/version-row.js';
import { type PageReader, pageIsIntact } from '../reading/page-reader.js';

/** A page of the base that the patch needs does not have the hash that was stored with it. */
export class DamagedBaseError extends Error {
  override readonly name = 'DamagedBaseError';
}

export interface PatchResult {
  pageHashes: Buffer;
  kept: PageExtent[];
  fresh: FreshRun[];
  payload: Uint8Array[];
}

type PageFate = 'kept' | 'fresh' | 'zeros';

const ZERO_PAGE = Buffer.alloc(PAGE_BYTES);
const ZERO_PAGE_HASH = hashPage(ZERO_PAGE);

/** Throws DamagedBaseError and UnreadableError. The writes must lie within the patch's length. */
export async function applyPatch(base: VersionRow, patch: PatchPut, reader: PageReader): Promise<PatchResult> {
  const pages = pageCount(patch.length);
  const fates = fatesOfPages(base, patch, pages);
  const result: PatchResult = { pageHashes: Buffer.allocUnsafe(pages * 8), kept: [], fresh: [], payload: [] };
  base.pageHashes.copy(result.pageHashes, 0, 0, Math.min(pages, pageCount(base.length)) * 8);
  for (let page = 0; page < pages; ) {
    const fate = fates[page] ?? 'kept';
    let end = page + 1;
    while (end < pages && fates[end] === fate) end++;
    switch (fate) {
      case 'kept':
        result.kept.push(...clipExtents(base.extents, page, end));
        break;
      case 'zeros':
        result.kept.push({ firstPage: page, pageCount: end - page, place: { segment: ZEROS_SEGMENT, offset: 0 } });
        for (let zero = page; zero < end; zero++)
          writeHash(result.pageHashes, zero, zeroHash(bytesOfPage(zero, patch.length)));
        break;
      case 'fresh':
        result.fresh.push({ firstPage: page, pageCount: end - page });
        for (let fresh = page; fresh < end; fresh++) {
          const bytes = coveredPage(patch, fresh) ?? (await mixedPage(base, patch, fresh, reader));
          writeHash(result.pageHashes, fresh, hashPage(bytes));
          addChunk(result.payload, bytes);
        }
        break;
    }
    page = end;
  }
  return result;
}

function fatesOfPages(base: VersionRow, patch: PatchPut, pages: number): PageFate[] {
  const basePages = pageCount(base.length);
  const fates: PageFate[] = new Array<PageFate>(pages).fill('kept');
  fates.fill('zeros', Math.min(basePages, pages));
  // The last page that both have gets a new hash when its length changes, by zeros or by a cut.
  const border = Math.min(basePages, pages) - 1;
  if (border >= 0 && bytesOfPage(border, base.length) !== bytesOfPage(border, patch.length)) fates[border] = 'fresh';
  for (const { offset, data } of patch.writes) {
    if (data.length === 0) continue;
    fates.fill('fresh', Math.floor(offset / PAGE_BYTES), pageCount(offset + data.length));
  }
  return fates;
}

/** A page of the result that the last write to it covers whole: a view of that write, not a copy. */
function coveredPage({ length, writes }: PatchPut, page: number): Uint8Array | undefined {
  const start = page * PAGE_BYTES;
  const sizeBytes = bytesOfPage(page, length);
  for (let last = writes.length - 1; last >= 0; last--) {
    const write = writes[last];
    if (write === undefined || !touches(write, start, sizeBytes)) continue;
    if (!covers(write, start, sizeBytes)) return undefined;
    return write.data.subarray(start - write.offset, start - write.offset + sizeBytes);
  }
  return undefined;
}

/** A page of the result, copied together from the base and the writes. */
async function mixedPage(base: VersionRow, patch: PatchPut, page: number, reader: PageReader): Promise<Uint8Array> {
  const start = page * PAGE_BYTES;
  const sizeBytes = bytesOfPage(page, patch.length);
  const touching = patch.writes.filter((write) => touches(write, start, sizeBytes));
  const bytes = Buffer.alloc(sizeBytes);
  if (page < pageCount(base.length) && !touching.some((write) => covers(write, start, sizeBytes))) {
    const old = await reader.read(base, page, 1);
    if (!pageIsIntact(base, page, old)) throw new DamagedBaseError(`page ${page} of the base is damaged`);
    old.copy(bytes, 0, 0, sizeBytes);
  }
  for (const { offset, data } of touching) {
    const from = Math.max(offset, start);
    const to = Math.min(offset + data.length, start + sizeBytes);
    bytes.set(data.subarray(from - offset, to - offset), from - start);
  }
  return bytes;
}

function touches({ offset, data }: Extent, start: number, sizeBytes: number): boolean {
  return offset < start + sizeBytes && offset + data.length > start;
}

function covers({ offset, data }: Extent, start: number, sizeBytes: number): boolean {
  return offset <= start && offset + data.length >= start + sizeBytes;
}

/** Pages that lie behind each other in memory go out as one chunk. */
function addChunk(chunks: Uint8Array[], bytes: Uint8Array): void {
  const last = chunks.at(-1);
  if (last !== undefined && last.buffer === bytes.buffer && last.byteOffset + last.length === bytes.byteOffset) {
    chunks[chunks.length - 1] = new Uint8Array(last.buffer, last.byteOffset, last.length + bytes.length);
  } else {
    chunks.push(bytes);
  }
}

function zeroHash(sizeBytes: number): bigint {
  return sizeBytes === PAGE_BYTES ? ZERO_PAGE_HASH : hashPage(ZERO_PAGE.subarray(0, sizeBytes));
}

function writeHash(hashes: Buffer, page: number, hash: bigint): void {
  hashes.writeBigUInt64LE(hash, page * 8);
}
