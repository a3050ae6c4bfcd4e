// Which bytes of the log only one version keeps alive, when several versions
// of a block share pages.
import { PAGE_BYTES } from '../protocol/hash.js';
import { bytesOfPage, bytesOfPages, type PageExtent, type VersionRow, ZEROS_SEGMENT } from './version-row.js';

/** Bytes by segment of the pages of `row` that none of `siblings`, other versions of the same block, refers to. */
export function exclusiveBytes(row: VersionRow, siblings: readonly VersionRow[]): Map<number, number> {
  const bytes = new Map<number, number>();
  const add = (segment: number, count: number) => bytes.set(segment, (bytes.get(segment) ?? 0) + count);
  for (const extent of row.extents) {
    const { segment } = extent.place;
    if (segment === ZEROS_SEGMENT) continue;
    const rivals = siblings.flatMap(({ extents }) => extents.filter((other) => sharesWith(extent, other)));
    if (rivals.length === 0) {
      add(segment, bytesOfPages(extent.firstPage, extent.pageCount, row.length));
      continue;
    }
    for (let page = extent.firstPage; page < extent.firstPage + extent.pageCount; page++) {
      const isShared = rivals.some(({ firstPage, pageCount }) => page >= firstPage && page < firstPage + pageCount);
      if (!isShared) add(segment, bytesOfPage(page, row.length));
    }
  }
  return bytes;
}

/** Whether a page that both contain lies at the same place. Both are parts of the same block, so one page in common means all. */
function sharesWith(extent: PageExtent, other: PageExtent): boolean {
  return (
    extent.place.segment === other.place.segment &&
    extent.place.offset - extent.firstPage * PAGE_BYTES === other.place.offset - other.firstPage * PAGE_BYTES &&
    extent.firstPage < other.firstPage + other.pageCount &&
    other.firstPage < extent.firstPage + extent.pageCount
  );
}
