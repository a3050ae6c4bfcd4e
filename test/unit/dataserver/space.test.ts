// What a store costs on the disk: small patches cost pages, dead space comes
// back, and sharing is accounted for.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { memoryIndexFactory } from '../../../src/dataserver/index/memory-index.js';
import { hashBlock, PAGE_BYTES } from '../../../src/protocol/values/hash.js';
import { MemoryDisk } from '../../support/memory-disk.js';
import { content, getOne, goodBytes, key, openOn, patched, putOne, segmentPath } from './harness.js';
import { type DiskCall, openNoting } from './noting-disk.js';

const BLOCK_BYTES = 128 * 1024;

describe('the space that a store takes', () => {
  it('is about a page for a patch of a page', async () => {
    const server = await openOn(new MemoryDisk(), { segmentBytes: 2 ** 24 });
    let bytes = content(BLOCK_BYTES, 1);
    await putOne(server.blocks, { ...key(0), data: bytes });
    for (let version = 2; version < 6; version++) {
      const before = (await server.blocks.status({})).storedBytes;
      const writes = [{ offset: version * 3 * PAGE_BYTES, data: content(PAGE_BYTES, version) }];
      const item = { ...key(0, version), base: version - 1, baseHash: hashBlock(bytes), length: BLOCK_BYTES, writes };
      assert.equal((await putOne(server.blocks, item)).state, 'stored');
      bytes = patched(bytes, BLOCK_BYTES, writes);
      const cost = (await server.blocks.status({})).storedBytes - before;
      assert.ok(cost < PAGE_BYTES + 600, `${cost} bytes`);
    }
    await server.close();
  });

  it('is a header for zeros that a patch adds', async () => {
    const server = await openOn(new MemoryDisk(), { segmentBytes: 2 ** 24 });
    const base = content(100, 1);
    await putOne(server.blocks, { ...key(0), data: base });
    const before = (await server.blocks.status({})).storedBytes;
    const item = { ...key(0, 2), base: 1, baseHash: hashBlock(base), length: 2 ** 20, writes: [] };
    const expected = patched(base, 2 ** 20, []);
    assert.deepEqual(await putOne(server.blocks, item), { state: 'stored', hash: hashBlock(expected) });
    const cost = (await server.blocks.status({})).storedBytes - before;
    assert.ok(cost < 2 * PAGE_BYTES, `${cost} bytes`);
    assert.deepEqual(await goodBytes(server.blocks, key(0, 2), hashBlock(expected)), expected);
    await server.close();
  });

  it('stays bounded while everything is written over and over', async () => {
    const disk = new MemoryDisk();
    const server = await openOn(disk, { segmentBytes: 256 * 1024 });
    const current: Buffer[] = [];
    for (let version = 1; version <= 300; version++) {
      const index = version % 10;
      const base = current[index];
      const data = content(20_000, version);
      await putOne(server.blocks, { ...key(index, version), data });
      current[index] = data;
      if (base !== undefined) await server.blocks.delete({ items: [key(index, version - 10)] });
    }
    await server.compacting();
    const { storedBytes, bytes } = await server.blocks.status({});
    assert.equal(bytes, 200_000);
    assert.ok(storedBytes < 4 * bytes + 256 * 1024, `${storedBytes} stored`);
    await server.close();
  });

  it('comes back although an old version shares its pages with a new one', async () => {
    const disk = new MemoryDisk();
    const server = await openOn(disk, { segmentBytes: 64 * 1024 });
    const base = content(10 * PAGE_BYTES, 1);
    const writes = [{ offset: 0, data: content(PAGE_BYTES, 2) }];
    const next = patched(base, base.length, writes);
    await putOne(server.blocks, { ...key(0), data: base });
    await putOne(server.blocks, { ...key(0, 2), base: 1, baseHash: hashBlock(base), length: base.length, writes });
    await putOne(server.blocks, { ...key(1), data: content(40_000, 3) });
    await putOne(server.blocks, { ...key(2), data: content(40_000, 4) });
    await server.blocks.delete({ items: [key(0), key(1)] });
    await server.compacting();
    assert.deepEqual(await goodBytes(server.blocks, key(0, 2), hashBlock(next)), next);
    await server.blocks.delete({ items: [key(0, 2)] });
    await server.compacting();
    assert.ok(!disk.paths().includes(segmentPath(1)), 'the first segment is gone');
    assert.equal((await getOne(server.blocks, key(2))).state, 'present');
    await server.close();
  });

  it('does not grow by tombstones for ever', async () => {
    const disk = new MemoryDisk();
    const server = await openOn(disk, { segmentBytes: 32 * 1024 });
    // Lives for ever in the first segment.
    await putOne(server.blocks, { ...key(99), data: content(25_000, 1) });
    for (let version = 1; version <= 2000; version++) {
      await putOne(server.blocks, { ...key(0, version), data: content(500, version) }, { durable: false });
      await server.blocks.delete({ items: [key(0, version)] });
      if (version % 100 === 0) await server.compacting();
    }
    await server.compacting();
    assert.ok(disk.usedBytes < 150_000, `${disk.usedBytes} used`);
    await server.close();
  });

  it('comes back unread where all is dead and nothing older is left, also when the index is lost then', async () => {
    const disk = new MemoryDisk();
    const calls: DiskCall[] = [];
    const open = () => openNoting(disk, (call) => calls.push(call), 64 * 1024);
    let server = await open();
    const many = (first: number) => Array.from({ length: 22 }, (_, at) => key(first + at));
    for (const keys of [many(0), many(100), many(200)]) {
      for (const each of keys) await putOne(server.blocks, { ...each, data: content(6000, each.index) });
      // Where this is said, the next are written.
      await server.blocks.delete({ items: keys });
    }
    await putOne(server.blocks, { ...key(300), data: content(6000, 1) });
    await server.compacting();
    const gone = [1, 2, 3, 4, 5].map(segmentPath);
    assert.ok(!disk.paths().some((path) => gone.includes(path)), 'these segments are gone');
    assert.ok(!calls.some(({ kind, path }) => kind === 'read' && gone.includes(path)), 'unread');
    await server.close();
    server = await open();
    const { entries } = await server.blocks.list({ limit: 100 });
    assert.deepEqual(
      entries.map(({ index }) => index),
      [300],
    );
    await server.close();
  });

  it('does not come back before what is said there about deletions is said elsewhere', async () => {
    const disk = new MemoryDisk();
    const server = await openOn(disk, { segmentBytes: 32 * 1024 });
    // The first segment stays: most of it is alive. The second has nothing alive in it, and says what is deleted in the first.
    for (let index = 0; index < 6; index++) await putOne(server.blocks, { ...key(index), data: content(6000, index) });
    await server.blocks.delete({ items: [key(0)] });
    for (let index = 10; index < 16; index++)
      await putOne(server.blocks, { ...key(index), data: content(6000, index) });
    await putOne(server.blocks, { ...key(20), data: content(40_000, 3) });
    await server.blocks.delete({ items: [10, 11, 12, 13, 14, 15].map((index) => key(index)) });
    await server.compacting();
    assert.ok(disk.paths().includes(segmentPath(1)), 'the first segment is there');
    assert.ok(!disk.paths().includes(segmentPath(2)), 'the second segment is gone');
    await server.close();
    const again = await openOn(disk, { segmentBytes: 32 * 1024, index: memoryIndexFactory() });
    assert.deepEqual(
      (await again.blocks.list({ limit: 100 })).entries.map(({ index }) => index),
      [1, 2, 3, 4, 5, 20],
    );
    await again.close();
  });

  it('brings nothing back to life when the index is lost after compaction', async () => {
    const disk = new MemoryDisk();
    let server = await openOn(disk, { segmentBytes: 32 * 1024 });
    for (let round = 0; round < 40; round++) {
      await putOne(server.blocks, { ...key(round % 7, round + 1), data: content(6000, round) });
      await putOne(server.blocks, { ...key(round % 7, round + 1), data: content(6001, round) }, { replace: true });
      if (round >= 7) await server.blocks.delete({ items: [key((round - 7) % 7, round - 6)] });
      if (round % 9 === 0) {
        await server.compacting();
        await server.close();
        server = await openOn(disk, { segmentBytes: 32 * 1024, index: memoryIndexFactory() });
      }
      const { entries } = await server.blocks.list({ limit: 100 });
      assert.equal(entries.length, Math.min(round + 1, 7), `round ${round}`);
    }
    await server.close();
  });

  it('is shared by one sync when many wait for it', async () => {
    const disk = new MemoryDisk();
    const server = await openOn(disk, { segmentBytes: 2 ** 24 });
    await putOne(server.blocks, { ...key(0), data: content(10, 1) });
    const before = disk.syncs;
    await Promise.all(
      Array.from({ length: 100 }, (_, index) => putOne(server.blocks, { ...key(index, 2), data: content(100, index) })),
    );
    assert.ok(disk.syncs - before <= 2, `${disk.syncs - before} syncs`);
    await server.close();
  });
});
