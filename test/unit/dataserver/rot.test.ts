// Bytes that changed on the disk: they are noticed wherever they are read, and pass for nothing good.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Dataserver } from '../../../src/dataserver/dataserver.js';
import { hashBlock, PAGE_BYTES } from '../../../src/protocol/values/hash.js';
import { MemoryDisk } from '../../support/memory-disk.js';
import { RecordingLog } from '../../support/recording-log.js';
import { content, getOne, goodBytes, key, openOn, patched, putOne, segmentPath } from './harness.js';

const MIB = 2 ** 20;

describe('bytes that changed on the disk', () => {
  /** A store of one block of five pages, with one byte of its third page flipped. */
  async function rotten(disk: MemoryDisk): Promise<{ server: Dataserver; data: Buffer }> {
    const server = await openOn(disk);
    const data = content(5 * PAGE_BYTES, 1);
    await putOne(server.blocks, { ...key(0), data });
    const file = Buffer.from(disk.content(segmentPath(1)));
    const at = file.indexOf(data.subarray(2 * PAGE_BYTES, 2 * PAGE_BYTES + 64)) + 50;
    file.writeUInt8(file.readUInt8(at) ^ 1, at);
    disk.spoil(segmentPath(1), file);
    return { server, data };
  }

  it('make an honest wrong ballot wherever they are read', async () => {
    const { server, data } = await rotten(new MemoryDisk());
    const result = await getOne(server.blocks, key(0));
    assert.ok(result.state === 'present');
    assert.notEqual(result.hash, hashBlock(data));
    assert.equal(result.hash, hashBlock(Buffer.from(result.data ?? [])));
    const elsewhere = { ...key(0), offset: 0, length: PAGE_BYTES, data: true };
    const there = { ...key(0), offset: 2 * PAGE_BYTES, length: 1, data: false };
    const { results } = await server.blocks.get({ items: [elsewhere, there] });
    assert.ok(results[0]?.state === 'present' && results[0].hash === hashBlock(data));
    assert.ok(results[1]?.state === 'present' && results[1].hash === result.hash);
    assert.match(await server.metrics(), /nmrfs_data_damaged_pages_total 2/);
    await server.close();
  });

  it('are no base for a patch that needs them', async () => {
    const { server, data } = await rotten(new MemoryDisk());
    const patch = (version: number, offset: number) => ({
      ...key(0, version),
      base: 1,
      baseHash: hashBlock(data),
      length: data.length,
      writes: [{ offset, data: content(10, 3) }],
    });
    assert.deepEqual(await putOne(server.blocks, patch(2, 2 * PAGE_BYTES + 5)), { state: 'bad-base' });
    assert.equal((await putOne(server.blocks, patch(3, 5))).state, 'stored');
    // The damaged page is part of the new version, and still gives itself away.
    const expected = patched(data, data.length, patch(3, 5).writes);
    assert.equal(await goodBytes(server.blocks, key(0, 3), hashBlock(expected)), undefined);
    await server.close();
  });

  it('are replaced by a repair, even one with the content that was there', async () => {
    const disk = new MemoryDisk();
    const { server, data } = await rotten(disk);
    await putOne(server.blocks, { ...key(0), data }, { replace: true });
    assert.deepEqual(await goodBytes(server.blocks, key(0), hashBlock(data)), data);
    await server.close();
    const again = await openOn(disk);
    assert.deepEqual(await goodBytes(again.blocks, key(0), hashBlock(data)), data);
    await again.close();
  });

  it('stay detectable when compaction moves them', async () => {
    const disk = new MemoryDisk();
    const { server, data } = await rotten(disk);
    for (let index = 1; index < 6; index++)
      await putOne(server.blocks, { ...key(index), data: content(15_000, index) });
    await server.blocks.delete({ items: [1, 2, 3, 4, 5].map((index) => key(index)) });
    await server.compacting();
    assert.ok(!disk.paths().includes(segmentPath(1)), 'the segment was compacted');
    const result = await getOne(server.blocks, key(0));
    assert.ok(result.state === 'present');
    assert.notEqual(result.hash, hashBlock(data));
    await server.close();
  });

  it('cost a rebuilt index the records whose headers they hit, and no others', async () => {
    const disk = new MemoryDisk();
    const server = await openOn(disk, { segmentBytes: MIB });
    const blocks = Array.from({ length: 10 }, (_, index) => content(5000 + index, index));
    for (const [index, data] of blocks.entries()) await putOne(server.blocks, { ...key(index), data });
    await server.close();
    const file = Buffer.from(disk.content(segmentPath(1)));
    const headers: number[] = [];
    for (let at = file.indexOf('nmrfsRec'); at >= 0; at = file.indexOf('nmrfsRec', at + 1)) headers.push(at);
    for (const victim of [0, 4, 5])
      file.writeUInt8(file.readUInt8((headers[victim] ?? 0) + 17) ^ 255, (headers[victim] ?? 0) + 17);
    disk.spoil(segmentPath(1), file);
    const log = new RecordingLog();
    const again = await openOn(disk, { segmentBytes: MIB, log });
    for (const [index, data] of blocks.entries()) {
      const bytes = await goodBytes(again.blocks, key(index), hashBlock(data));
      assert.deepEqual(bytes, [0, 4, 5].includes(index) ? undefined : data, `block ${index}`);
    }
    assert.equal(log.named('store.damage_found').length, 1);
    await again.close();
  });
});
