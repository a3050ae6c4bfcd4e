import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import {
  bytesOfPage,
  type PageExtent,
  type VersionRow,
  ZEROS_SEGMENT,
} from '../../../src/dataserver/format/version-row.js';
import { exclusiveBytes } from '../../../src/dataserver/index/live-space.js';
import { PAGE_BYTES } from '../../../src/protocol/values/hash.js';

const PAGES = 8;

/** Where each page of a version lies: 'segment/offset'; few places, so that versions share some. */
const origins = fc.array(fc.record({ segment: fc.integer({ min: 0, max: 2 }), slot: fc.integer({ min: 0, max: 3 }) }), {
  minLength: 1,
  maxLength: PAGES,
});

describe('the bytes that only one version keeps alive', () => {
  it('are those of the pages that lie nowhere else, whatever the pieces', () => {
    fc.assert(
      fc.property(
        origins,
        fc.array(origins, { maxLength: 3 }),
        fc.integer({ min: 1, max: PAGE_BYTES }),
        (own, others, tail) => {
          const row = rowOf(own, tail);
          const siblings = others.map((pages) => rowOf(pages, PAGE_BYTES));
          assert.deepEqual(sorted(exclusiveBytes(row, siblings)), sorted(pageByPage(row, siblings)));
        },
      ),
    );
  });

  it('are the same when it is known which pages lie nowhere else', () => {
    fc.assert(
      fc.property(origins, fc.array(origins, { maxLength: 3 }), fc.nat(), (own, others, pick) => {
        const row = rowOf(own, PAGE_BYTES);
        const siblings = others.map((pages) => rowOf(pages, PAGE_BYTES));
        // Zeros lie nowhere at all, so they may be shared whatever their slot.
        const nowhereElse = own.filter(
          (place, page) => place.segment !== ZEROS_SEGMENT && !others.some((pages) => isSame(pages[page], place)),
        ).length;
        const known = nowhereElse === 0 ? 0 : pick % (nowhereElse + 1);
        assert.deepEqual(sorted(exclusiveBytes(row, siblings, known)), sorted(pageByPage(row, siblings)));
      }),
    );
  });
});

function isSame(one: { segment: number; slot: number } | undefined, other: { segment: number; slot: number }): boolean {
  return one !== undefined && one.segment === other.segment && one.slot === other.slot;
}

function rowOf(pages: readonly { segment: number; slot: number }[], tailBytes: number): VersionRow {
  const extents: PageExtent[] = [];
  pages.forEach(({ segment, slot }, page) => {
    // Each slot holds a run of all pages of a block, so that neighbours can be one extent.
    const offset = segment === ZEROS_SEGMENT ? 0 : (slot * PAGES + page) * PAGE_BYTES;
    const last = extents.at(-1);
    const follows =
      last !== undefined &&
      last.place.segment === segment &&
      (segment === ZEROS_SEGMENT || last.place.offset + last.pageCount * PAGE_BYTES === offset);
    if (follows) last.pageCount++;
    else extents.push({ firstPage: page, pageCount: 1, place: { segment, offset } });
  });
  return {
    length: (pages.length - 1) * PAGE_BYTES + tailBytes,
    modifiedNs: 0n,
    home: { segment: 1, offset: 0 },
    firstSegment: 1,
    extents,
    pageHashes: Buffer.alloc(pages.length * 8),
  };
}

function placeOf(row: VersionRow, page: number): string | null {
  const extent = row.extents.find(({ firstPage, pageCount }) => page >= firstPage && page < firstPage + pageCount);
  if (extent === undefined || extent.place.segment === ZEROS_SEGMENT) return null;
  return `${extent.place.segment}/${extent.place.offset + (page - extent.firstPage) * PAGE_BYTES}`;
}

function pageByPage(row: VersionRow, siblings: readonly VersionRow[]): Map<number, number> {
  const bytes = new Map<number, number>();
  for (let page = 0; page < row.pageHashes.length / 8; page++) {
    const place = placeOf(row, page);
    if (place === null || siblings.some((sibling) => placeOf(sibling, page) === place)) continue;
    const segment = Number(place.split('/')[0]);
    bytes.set(segment, (bytes.get(segment) ?? 0) + bytesOfPage(page, row.length));
  }
  return bytes;
}

function sorted(bytes: Map<number, number>): [number, number][] {
  return [...bytes].sort(([a], [b]) => a - b);
}
