// How many bytes of each segment only one version keeps alive, when several
// versions of a block share pages.
import { PAGE_BYTES, pageCount } from '../../protocol/values/hash.js';
import { bytesOfPage, bytesOfPages, type PageExtent, type VersionRow, ZEROS_SEGMENT } from '../format/version-row.js';

/**
 * Bytes by segment of the pages of `row` that none of `siblings`, other versions of the same block, refers to.
 * @param siblings searched from the end: the one that shares most pages should stand there
 * @param unsharable how many pages of `row` no sibling can share, zeros apart: the search ends when all others are found
 */
export function exclusiveBytes(row: VersionRow, siblings: readonly VersionRow[], unsharable = 0): Map<number, number> {
  const shared = new Uint8Array(siblings.length === 0 ? 0 : pageCount(row.length));
  let unknown = shared.length - unsharable;
  for (let at = siblings.length - 1; at >= 0 && unknown > 0; at--) {
    const sibling = siblings[at];
    if (sibling !== undefined) unknown -= markShared(shared, row.extents, sibling.extents);
  }
  const bytes = new Map<number, number>();
  const add = (segment: number, count: number) => bytes.set(segment, (bytes.get(segment) ?? 0) + count);
  for (const { firstPage, pageCount: count, place } of row.extents) {
    if (place.segment === ZEROS_SEGMENT) continue;
    if (siblings.length === 0) {
      add(place.segment, bytesOfPages(firstPage, count, row.length));
      continue;
    }
    for (let page = firstPage; page < firstPage + count; page++) {
      if (shared[page] === 0) add(place.segment, bytesOfPage(page, row.length));
    }
  }
  return bytes;
}

/**
 * Marks the pages that lie at the same place in both, and answers how many were not marked before. Extents are in page order,
 * so both are walked once.
 */
function markShared(shared: Uint8Array, extents: readonly PageExtent[], others: readonly PageExtent[]): number {
  let marked = 0;
  let position = 0;
  for (const extent of extents) {
    const end = extent.firstPage + extent.pageCount;
    for (; position < others.length; position++) {
      const other = others[position];
      if (other === undefined || other.firstPage >= end) break;
      const from = Math.max(extent.firstPage, other.firstPage);
      const to = Math.min(end, other.firstPage + other.pageCount);
      if (from < to && liesAlike(extent, other)) {
        for (let page = from; page < to; page++) {
          if (shared[page] === 0) marked++;
          shared[page] = 1;
        }
      }
      // When it reaches into the next extent, it is looked at again there.
      if (other.firstPage + other.pageCount > end) break;
    }
  }
  return marked;
}

/** Whether a page that both contain lies at the same place: if one does, all do. */
function liesAlike({ place, firstPage }: PageExtent, other: PageExtent): boolean {
  return (
    place.segment === other.place.segment &&
    place.offset - firstPage * PAGE_BYTES === other.place.offset - other.firstPage * PAGE_BYTES
  );
}
