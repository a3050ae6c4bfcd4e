// The accounting of live space, against the plainest sum over all versions;
// and the bytes of rows and records.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { keyOfVersion, segmentKey, versionKey } from '../../../src/dataserver/format/keys.js';
import {
  decodeRecord,
  decodeTombstones,
  encodeRecord,
  encodeTombstones,
  HEADER_BYTES,
  saltOf,
} from '../../../src/dataserver/format/record.js';
import {
  decodeRow,
  encodeRow,
  type PageExtent,
  rowBytes,
  type VersionRow,
} from '../../../src/dataserver/format/version-row.js';
import { Catalog } from '../../../src/dataserver/index/catalog.js';
import type { IndexStore } from '../../../src/dataserver/index/index-store.js';
import { memoryIndexFactory } from '../../../src/dataserver/index/memory-index.js';
import { NewInodes } from '../../../src/dataserver/index/new-inodes.js';
import type { BlockKey } from '../../../src/protocol/services/blocks.js';
import { PAGE_BYTES, pageCount } from '../../../src/protocol/values/hash.js';
import { MemoryDisk } from '../../support/memory-disk.js';
import { key, memoryRuntime, SeededRandom } from './harness.js';

describe('the catalog', () => {
  it('finds every version, and looks up only what may be there', async () => {
    let lookups = 0;
    const random = new SeededRandom(3);
    const index = await memoryIndexFactory()('/index', memoryRuntime(new MemoryDisk()));
    const counting: IndexStore = {
      get: (wanted) => {
        lookups++;
        return index.get(wanted);
      },
      range: (from, to, limit) => index.range(from, to, limit),
      write: (changes) => index.write(changes),
      clear: () => index.clear(),
      close: () => index.close(),
    };
    let catalog = new Catalog(counting);
    const known = new Map<string, BlockKey>();
    let highest = 100;
    for (let step = 0; step < 3000; step++) {
      const isNew = random.fraction() < 0.5;
      if (isNew) highest += 1 + random.below(3);
      const block = key(0, 1 + random.below(2), isNew ? highest : 90 + random.below(highest - 80));
      const name = JSON.stringify(block);
      assert.equal(catalog.get(block) !== undefined, known.has(name), `${name} in step ${step}`);
      const versions = catalog.versionsOf(block.inode, block.index).map((entry) => entry.key.version);
      const expected = [1, 2].filter((version) => known.has(JSON.stringify({ ...block, version })));
      assert.deepEqual(versions, expected);
      if (random.fraction() < 0.7) {
        catalog.put(block, wholeRow({ segment: 1, offset: step * 100_000 }, random));
        known.set(name, block);
      } else {
        assert.equal(catalog.remove(block), known.delete(name));
      }
      if (random.fraction() < 0.1) catalog.save();
      if (random.fraction() < 0.01) {
        catalog.save();
        catalog = new Catalog(counting);
        assert.ok(catalog.load() !== undefined);
      }
    }
    const before = lookups;
    for (let step = 0; step < 100; step++) {
      catalog.put(key(0, 1, highest + 10 + step), wholeRow({ segment: 2, offset: step * 100_000 }, random));
    }
    assert.ok(lookups - before <= 1, `${lookups - before} lookups for files that are new`);
  });

  it('takes no file for new that has a version which is not in the index yet', async () => {
    const index = await memoryIndexFactory()('/index', memoryRuntime(new MemoryDisk()));
    const inodes = new NewInodes();
    inodes.used(50);
    assert.deepEqual(
      [10, 50, 51].map((inode) => inodes.has(inode, index)),
      [false, false, true],
    );
  });

  it('counts as alive exactly what any version refers to', async () => {
    const index = await memoryIndexFactory()('/index', memoryRuntime(new MemoryDisk()));
    const catalog = new Catalog(index);
    const random = new SeededRandom(42);
    const rows = new Map<string, { key: ReturnType<typeof key>; row: VersionRow }>();
    let offset = 0;
    for (let step = 1; step <= 1500; step++) {
      const block = key(random.below(3), step);
      const base = [...rows.values()].filter((entry) => entry.key.index === block.index).at(-1);
      if (random.fraction() < 0.45) {
        const victim = [...rows.values()][random.below(Math.max(1, rows.size))];
        if (victim !== undefined) {
          assert.ok(catalog.remove(victim.key));
          rows.delete(JSON.stringify(victim.key));
        }
      } else {
        const home = { segment: 1 + Math.floor(step / 100), offset };
        const row =
          base === undefined || random.fraction() < 0.3 ? wholeRow(home, random) : patchRow(base.row, home, random);
        offset = (offset + 100_000) % 4_000_000_000;
        catalog.put(block, row);
        rows.set(JSON.stringify(block), { key: block, row });
      }
      if (random.fraction() < 0.3) catalog.save();
      if (step % 50 === 0) checkUse(catalog, [...rows.values()]);
    }
    catalog.save();
    const reopened = new Catalog(index);
    assert.ok(reopened.load() !== undefined);
    checkUse(reopened, [...rows.values()]);
    assert.equal(reopened.blocks, rows.size);
  });

  it('remembers what the tombstones of a segment are about, and expects anything of those written by a version that did not', async () => {
    const index = await memoryIndexFactory()('/index', memoryRuntime(new MemoryDisk()));
    const catalog = new Catalog(index);
    const tombstone = (firstSegment: number) => ({ key: key(1), firstSegment, last: { segment: 9, offset: 0 } });
    catalog.addTombstones(9, [tombstone(7), tombstone(4)]);
    catalog.addTombstones(9, [tombstone(5)]);
    catalog.save();
    index.write([{ key: segmentKey(8), value: Buffer.alloc(16) }]);
    const reopened = new Catalog(index);
    assert.ok(reopened.load() !== undefined);
    assert.deepEqual(reopened.useOf(9), { liveBytes: 0, tombstones: 3, oldestDeleted: 4 });
    assert.equal(reopened.useOf(8).oldestDeleted, 0);
    assert.equal(reopened.useOf(7).oldestDeleted, Number.POSITIVE_INFINITY);
  });

  it('lists what is not in the index yet, and neither what has gone', async () => {
    const catalog = new Catalog(await memoryIndexFactory()('/index', memoryRuntime(new MemoryDisk())));
    const random = new SeededRandom(1);
    for (const index of [0, 1, 2]) catalog.put(key(index), wholeRow({ segment: 1, offset: index * 100_000 }, random));
    catalog.save();
    catalog.remove(key(1));
    catalog.put(key(3), wholeRow({ segment: 1, offset: 300_000 }, random));
    assert.deepEqual(
      catalog.list(undefined, 10).map((entry) => entry.key.index),
      [0, 2, 3],
    );
  });

  it('leaves the index alone about what came and went between two saves', async () => {
    const index = await memoryIndexFactory()('/index', memoryRuntime(new MemoryDisk()));
    const catalog = new Catalog(index);
    const written: Buffer[] = [];
    const { write } = index;
    index.write = (changes) => {
      written.push(...changes.map((change) => change.key));
      write.call(index, changes);
    };
    const random = new SeededRandom(1);
    catalog.put(key(0, 1), wholeRow({ segment: 1, offset: 0 }, random));
    catalog.save();
    catalog.put(key(0, 2), wholeRow({ segment: 1, offset: 100_000 }, random));
    catalog.remove(key(0, 1));
    catalog.put(key(0, 3), wholeRow({ segment: 1, offset: 200_000 }, random));
    catalog.remove(key(0, 2));
    written.length = 0;
    catalog.save();
    const versions = written.filter((bytes) => bytes.length === versionKey(key(0)).length);
    assert.deepEqual(versions.map((bytes) => keyOfVersion(bytes).version).sort(), [1, 3]);
    assert.deepEqual(
      catalog.list(undefined, 10).map((entry) => entry.key.version),
      [3],
    );
  });

  it('keeps what the index did not take, to save it later, with the place that it reaches to', async () => {
    const index = await memoryIndexFactory()('/index', memoryRuntime(new MemoryDisk()));
    const catalog = new Catalog(index);
    const { write } = index;
    index.write = () => {
      throw new Error('no room');
    };
    const row = wholeRow({ segment: 1, offset: 0 }, new SeededRandom(1));
    catalog.put(key(0), row);
    catalog.reach({ segment: 1, offset: 100_000 });
    assert.throws(() => catalog.save(), /no room/);
    assert.deepEqual(catalog.get(key(0)), row);
    index.write = write;
    catalog.save();
    const reopened = new Catalog(index);
    const checkpoint = reopened.load();
    assert.equal(checkpoint?.offset, 100_000);
    assert.deepEqual(reopened.get(key(0)), row);
  });
});

describe('rows and records', () => {
  it('come back from their bytes', () => {
    const row = patchRow(
      wholeRow({ segment: 3, offset: 64 }, new SeededRandom(5)),
      { segment: 4, offset: 0 },
      new SeededRandom(6),
    );
    assert.deepEqual(decodeRow(encodeRow(row)), row);
    const salt = saltOf('a store');
    const place = { segment: 4, offset: 128 };
    const meta = encodeRow(row);
    const bytes = encodeRecord({ kind: 'version', key: key(7, 2 ** 52), place, payloadBytes: 99 }, meta, salt);
    const header = { kind: 'version', key: key(7, 2 ** 52), place, payloadBytes: 99, metaBytes: meta.length };
    assert.deepEqual(decodeRecord(bytes, place, salt), header);
    assert.equal(decodeRecord(bytes, { ...place, offset: 136 }, salt), undefined);
    assert.equal(decodeRecord(bytes, place, saltOf('another store')), undefined);
    const tombstones = [{ key: key(1, 2), firstSegment: 1, last: { segment: 2, offset: 8 } }];
    assert.deepEqual(decodeTombstones(encodeTombstones(tombstones)), tombstones);
  });

  it('are refused when any bit of them changed', () => {
    const salt = saltOf('a store');
    const place = { segment: 1, offset: 0 };
    const meta = encodeRow(wholeRow(place, new SeededRandom(9)));
    const bytes = encodeRecord({ kind: 'version', key: key(7), place, payloadBytes: 5 }, meta, salt);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = Buffer.from(bytes);
      damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      assert.equal(decodeRecord(damaged, place, salt), undefined, `bit ${bit}`);
    }
  });

  it('are refused when their extents leave a gap', () => {
    const row = wholeRow({ segment: 1, offset: 0 }, new SeededRandom(3));
    const [extent] = row.extents;
    assert.ok(extent !== undefined);
    assert.equal(decodeRow(encodeRow({ ...row, extents: [{ ...extent, firstPage: 1 }] })), undefined);
    assert.equal(
      decodeRow(encodeRow({ ...row, extents: [{ ...extent, pageCount: extent.pageCount + 1 }] })),
      undefined,
    );
    assert.equal(decodeRow(encodeRow(row).subarray(1)), undefined);
    assert.equal(decodeRow(Buffer.alloc(3)), undefined);
  });
});

function wholeRow(home: VersionRow['home'], random: SeededRandom): VersionRow {
  const length = 1 + random.below(20 * PAGE_BYTES);
  const extent = {
    firstPage: 0,
    pageCount: pageCount(length),
    place: { segment: home.segment, offset: home.offset + 500 },
  };
  return rowWith(home, length, [extent]);
}

/** One page of the base anew, the rest shared. */
function patchRow(base: VersionRow, home: VersionRow['home'], random: SeededRandom): VersionRow {
  const fresh = random.below(pageCount(base.length));
  const extents: PageExtent[] = [];
  for (const { firstPage, pageCount: count, place } of base.extents) {
    const part = (from: number, to: number) => {
      if (from >= to) return;
      const offset = place.offset + (from - firstPage) * PAGE_BYTES;
      extents.push({ firstPage: from, pageCount: to - from, place: { segment: place.segment, offset } });
    };
    part(firstPage, Math.min(fresh, firstPage + count));
    if (fresh >= firstPage && fresh < firstPage + count) {
      extents.push({ firstPage: fresh, pageCount: 1, place: { segment: home.segment, offset: home.offset + 500 } });
    }
    part(Math.max(fresh + 1, firstPage), firstPage + count);
  }
  return rowWith(home, base.length, extents);
}

function rowWith(home: VersionRow['home'], length: number, extents: PageExtent[]): VersionRow {
  const pageHashes = Buffer.alloc(pageCount(length) * 8, home.offset & 255);
  return { length, modifiedNs: 5n, home, firstSegment: home.segment, extents, pageHashes };
}

function checkUse(catalog: Catalog, entries: readonly { row: VersionRow }[]): void {
  const pages = new Map<string, { segment: number; bytes: number }>();
  const expected = new Map<number, number>();
  const add = (segment: number, bytes: number) => expected.set(segment, (expected.get(segment) ?? 0) + bytes);
  for (const { row } of entries) {
    add(row.home.segment, HEADER_BYTES + rowBytes(row.extents.length, row.length));
    for (const { firstPage, pageCount: count, place } of row.extents) {
      for (let page = 0; page < count; page++) {
        const bytes = Math.min(PAGE_BYTES, row.length - (firstPage + page) * PAGE_BYTES);
        pages.set(`${place.segment}/${place.offset + page * PAGE_BYTES}`, { segment: place.segment, bytes });
      }
    }
  }
  for (const { segment, bytes } of pages.values()) add(segment, bytes);
  for (const segment of new Set([...expected.keys(), ...catalog.segments()])) {
    assert.equal(catalog.useOf(segment).liveBytes, expected.get(segment) ?? 0, `segment ${segment}`);
  }
}
