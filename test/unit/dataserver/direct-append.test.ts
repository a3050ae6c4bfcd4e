// Appends past the system's page cache: when, what lies between them, and what
// comes of a disk that can't.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Dataserver } from '../../../src/dataserver/dataserver.js';
import { decodeRecord, HEADER_BYTES, recordBytes } from '../../../src/dataserver/format/record.js';
import { memoryIndexFactory } from '../../../src/dataserver/index/memory-index.js';
import { RECORD_ALIGNMENT_BYTES } from '../../../src/dataserver/limits.js';
import { placeBatch } from '../../../src/dataserver/writing/placed-batch.js';
import { hashBlock, PAGE_BYTES } from '../../../src/protocol/values/hash.js';
import { DIRECT_ALIGNMENT_BYTES } from '../../../src/runtime/disk.js';
import { MemoryDisk, systemError } from '../../support/memory-disk.js';
import { RecordingLog } from '../../support/recording-log.js';
import { allDurable, content, diskPlaces, goodBytes, key, openOn, putOne, withPlace } from './harness.js';

const LARGE_BYTES = 8 * PAGE_BYTES;
const SIZES = { segmentBytes: 2 ** 24, directAppendBytes: LARGE_BYTES };

const SALT = 5n;

const large = (index: number) => content(LARGE_BYTES, index);
const small = (index: number, sizeBytes = 100 + index) => content(sizeBytes, index);

/** Puts the bytes as that block. */
async function put(server: Dataserver, index: number, data: Buffer): Promise<void> {
  assert.deepEqual(await putOne(server.blocks, { ...key(index), data }), { state: 'stored', hash: hashBlock(data) });
}

async function checkAll(server: Dataserver, blocks: ReadonlyMap<number, Buffer>): Promise<void> {
  for (const [index, data] of blocks) {
    assert.deepEqual(await goodBytes(server.blocks, key(index), hashBlock(data)), data, `block ${index}`);
  }
}

/** The store from its log alone: no index, and what was not synced is gone. */
async function rebuilt(disk: MemoryDisk, server: Dataserver): Promise<{ server: Dataserver; log: RecordingLog }> {
  disk.cutPower('all');
  await server.close().catch(() => {});
  const log = new RecordingLog();
  return { server: await openOn(disk, { ...SIZES, index: memoryIndexFactory(), log }), log };
}

/** The log alone has these blocks, and no damage. */
async function checkRebuilt(disk: MemoryDisk, server: Dataserver, blocks: ReadonlyMap<number, Buffer>): Promise<void> {
  const after = await rebuilt(disk, server);
  await checkAll(after.server, blocks);
  assert.equal(after.log.named('store.damage_found').length, 0);
  await after.server.close();
}

describe('large appends to the log of a data server', () => {
  it('go past the cache from the first whole page of the log on, small ones never', async () => {
    const disk = new MemoryDisk();
    const server = await openOn(disk, SIZES);
    await put(server, 0, large(0));
    assert.equal(disk.directWrites.length, 0, 'an empty file can not be used to try memory out');
    await put(server, 1, small(1));
    await put(server, 2, large(2));
    await put(server, 3, large(3));
    assert.equal(disk.directWrites.length, 2);
    await server.close();
  });

  it('begin and end with a page, and a log of both kinds is read without damage', async () => {
    const disk = new MemoryDisk();
    const server = await openOn(disk, SIZES);
    const blocks = new Map(
      Array.from({ length: 40 }, (_, index) => [index, index % 3 === 2 ? large(index) : small(index, 1 + index * 131)]),
    );
    for (const [index, data] of blocks) await put(server, index, data);
    // All of them but the first, before which there is less than a page.
    assert.equal(disk.directWrites.length, 12);
    for (const { position, sizeBytes } of disk.directWrites) {
      assert.equal(position % DIRECT_ALIGNMENT_BYTES, 0);
      assert.equal(sizeBytes % DIRECT_ALIGNMENT_BYTES, 0);
    }
    await checkAll(server, blocks);
    await checkRebuilt(disk, server, blocks);
  });

  it('leave room for a filler, wherever the log ends', () => {
    for (let offset = 0; offset <= DIRECT_ALIGNMENT_BYTES; offset += RECORD_ALIGNMENT_BYTES) {
      const place = { segment: 7, offset };
      const { filler, startOffset, endOffset } = placeBatch([], place, SALT, true);
      const bytes = Buffer.concat(filler);
      assert.equal(startOffset % DIRECT_ALIGNMENT_BYTES, 0);
      assert.equal(offset + bytes.length, startOffset);
      assert.equal(endOffset, startOffset);
      if (offset % DIRECT_ALIGNMENT_BYTES === 0) continue;
      const header = decodeRecord(bytes.subarray(0, HEADER_BYTES), place, SALT);
      assert.ok(header !== undefined, `a filler at ${offset}`);
      assert.equal(offset + recordBytes(header.metaBytes, header.payloadBytes), startOffset);
    }
  });

  it('go through the cache on a disk that can not write directly, which is said once', async () => {
    const disk = new MemoryDisk();
    const log = new RecordingLog();
    const server = await openOn(disk, { ...SIZES, log });
    disk.failDirectWrite = systemError('EINVAL', 'no direct writes here');
    const blocks = new Map([0, 1, 2, 3].map((index) => [index, large(index)]));
    for (const [index, data] of blocks) await put(server, index, data);
    assert.equal(log.named('direct.append_unsupported').length, 1);
    await checkAll(server, blocks);
    await checkRebuilt(disk, server, blocks);
  });

  it('go through the cache where no memory for direct writes can be had, whatever the reason', async () => {
    const disk = new MemoryDisk();
    const log = new RecordingLog();
    const server = await openOn(disk, { ...SIZES, log });
    // Such as where /proc is not there, or too many files are open.
    disk.failDirectMemory = systemError('ENOENT', '/proc/self/fd/20');
    const blocks = new Map([0, 1, 2].map((index) => [index, large(index)]));
    for (const [index, data] of blocks) await put(server, index, data);
    assert.equal(log.named('direct.append_unsupported').length, 1);
    await checkAll(server, blocks);
    await server.close();
  });

  it('fail as other appends do: nothing of them counts, and the next one works', async () => {
    const disk = new MemoryDisk();
    const server = await openOn(disk, SIZES);
    await put(server, 0, large(0));
    await put(server, 1, small(1));
    disk.failDirectWrite = systemError('EIO', 'a bad sector');
    await assert.rejects(putOne(server.blocks, { ...key(2), data: large(2) }), /EIO/);
    disk.failDirectWrite = null;
    assert.equal(await goodBytes(server.blocks, key(2), hashBlock(large(2))), undefined);
    await put(server, 3, small(3));
    await put(server, 4, large(4));
    const blocks = new Map([
      [0, large(0)],
      [1, small(1)],
      [3, small(3)],
      [4, large(4)],
    ]);
    await checkRebuilt(disk, server, blocks);
  });

  it('are rescued with all that came with them when a sync of the segment fails meanwhile', async () => {
    const disk = new MemoryDisk();
    const server = await openOn(disk, SIZES);
    await put(server, 0, small(0, PAGE_BYTES));
    disk.failSync = systemError('EIO', 'a bad sector');
    const synced = putOne(server.blocks, { ...key(5), data: small(5) });
    // The sync is under way, and not over, within this turn.
    for (let moment = 0; moment < 50; moment++) await Promise.resolve();
    const appended = putOne(server.blocks, { ...key(3), data: large(3) }, { durable: false });
    const deleted = server.blocks.delete({ items: [key(0)] });
    await assert.rejects(synced, /could not be made durable/);
    disk.failSync = null;
    assert.equal((await appended).state, 'stored');
    assert.deepEqual(await deleted, { deleted: 1 });
    assert.equal(disk.directWrites.length, 1);
    await allDurable(server.blocks);
    const after = await rebuilt(disk, server);
    await checkAll(after.server, new Map([[3, large(3)]]));
    assert.equal(await goodBytes(after.server.blocks, key(0), hashBlock(small(0, PAGE_BYTES))), undefined);
    await after.server.close();
  });

  it('are read again from a real disk, after a new start too', () =>
    withPlace(diskPlaces, async (place) => {
      const blocks = new Map([0, 1, 2, 3, 4, 5].map((index) => [index, content(2 ** 20 - index * 999, index)]));
      const server = await place.open();
      for (const [index, data] of blocks) {
        await put(server, index, data);
        await put(server, index + 100, small(index));
      }
      await checkAll(server, blocks);
      await place.close();
      const log = new RecordingLog();
      await checkAll(await place.open({ log }), blocks);
      assert.equal(log.named('store.damage_found').length, 0);
    }));
});
