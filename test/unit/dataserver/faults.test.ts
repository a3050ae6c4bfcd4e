// A disk that is full, that fails, or whose bytes changed: each has its own
// answer, nothing half-written shows, and nothing damaged looks good.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { type Dataserver, openDataserver } from '../../../src/dataserver/dataserver.js';
import type { IndexFactory } from '../../../src/dataserver/index/index-store.js';
import { memoryIndexFactory } from '../../../src/dataserver/index/memory-index.js';
import { ZEROS_AHEAD_BYTES } from '../../../src/dataserver/limits.js';
import { ServiceError } from '../../../src/protocol/errors.js';
import type { BlockKey, BlockService } from '../../../src/protocol/services/blocks.js';
import { hashBlock } from '../../../src/protocol/values/hash.js';
import { silentLog } from '../../../src/runtime/log.js';
import { MemoryDisk } from '../../support/memory-disk.js';
import { RecordingLog } from '../../support/recording-log.js';
import {
  allDurable,
  content,
  first,
  getOne,
  goodBytes,
  key,
  memoryRuntime,
  openOn,
  patched,
  putOne,
  STORE,
  segmentPath,
  turn,
} from './harness.js';

const MIB = 2 ** 20;

describe('a data server on a full disk', () => {
  it('answers full, stores nothing of it, and goes on reading', async () => {
    const disk = new MemoryDisk();
    const server = await openOn(disk);
    const data = content(9000, 1);
    await putOne(server.blocks, { ...key(0), data });
    disk.capacityBytes = disk.usedBytes + 5000;
    // More than has been written ahead in zeros.
    const large = content(ZEROS_AHEAD_BYTES + 9000, 2);
    assert.deepEqual(await putOne(server.blocks, { ...key(1), data: large }), { state: 'full' });
    assert.deepEqual(await getOne(server.blocks, key(1)), { state: 'absent' });
    assert.deepEqual(await goodBytes(server.blocks, key(0), hashBlock(data)), data);
    disk.capacityBytes = MIB;
    assert.equal((await putOne(server.blocks, { ...key(1), data: large })).state, 'stored');
    await server.close();
  });

  it('answers full when the disk says so in the middle of a write', async () => {
    const disk = new MemoryDisk();
    const server = await openOn(disk);
    const data = content(9000, 1);
    await putOne(server.blocks, { ...key(0), data });
    disk.failWrite = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
    assert.deepEqual(await putOne(server.blocks, { ...key(1), data }), { state: 'full' });
    // Deleting makes room, so it must work without any.
    assert.deepEqual(await server.blocks.delete({ items: [key(0)] }), { deleted: 1 });
    disk.failWrite = null;
    assert.equal((await putOne(server.blocks, { ...key(2), data })).state, 'stored');
    await server.close();
    const again = await openOn(disk);
    assert.deepEqual(await goodBytes(again.blocks, key(2), hashBlock(data)), data);
    await again.close();
  });

  it('starts without any room, and answers what it has', async () => {
    const disk = new MemoryDisk();
    const index = memoryIndexFactory();
    const data = content(9000, 1);
    for (const isFull of [false, true, true]) {
      const runtime = memoryRuntime(disk);
      const replaceFile = () => Promise.reject(Object.assign(new Error('no space left'), { code: 'ENOSPC' }));
      const server = await openDataserver(
        { name: 'data3', number: 3, directory: STORE, testHooks: true, reserveBytes: 0 },
        isFull ? { ...runtime, disk: { ...runtime.disk, replaceFile } } : runtime,
        index,
        { terminate() {}, restart() {} },
      );
      if (!isFull) await putOne(server.blocks, { ...key(0), data });
      assert.deepEqual(await goodBytes(server.blocks, key(0), hashBlock(data)), data);
      await server.close();
    }
  });

  it('counts right after a restart what was deleted without any room', async () => {
    const disk = new MemoryDisk();
    const index = memoryIndexFactory();
    const server = await openOn(disk, { index });
    for (const number of [0, 1, 2]) await putOne(server.blocks, { ...key(number), data: content(9000, number) });
    disk.failWrite = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
    await server.blocks.delete({ items: [key(0), key(1)] });
    await server.close();
    disk.failWrite = null;
    const again = await openOn(disk, { index });
    const { blocks, bytes } = await again.blocks.status({});
    assert.deepEqual({ blocks, bytes }, { blocks: 1, bytes: 9000 });
    assert.equal((await again.blocks.list({ limit: 10 })).entries.length, 1);
    await again.close();
  });

  for (const [when, next] of [
    ['something is written', (blocks: BlockService) => putOne(blocks, { ...key(7), data: content(10, 7) })],
    ['it is stopped', async () => {}],
  ] as const) {
    it(`brings nothing back that was deleted without any room, once there is some when ${when}`, async () => {
      const disk = new MemoryDisk();
      const server = await openOn(disk, { segmentBytes: 2 ** 20 });
      for (const number of [0, 1, 2]) await putOne(server.blocks, { ...key(number), data: content(9000, number) });
      disk.failWrite = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
      await server.blocks.delete({ items: [key(0)] });
      await server.blocks.delete({ items: [key(1)] });
      disk.failWrite = null;
      await next(server.blocks);
      await server.close();
      // The index is lost.
      const again = await openOn(disk);
      const { entries } = await again.blocks.list({ limit: 10 });
      assert.deepEqual(
        entries.map((entry) => entry.index).filter((number) => number < 7),
        [2],
      );
      await again.close();
    });
  }

  it('leaves a reserve alone that deletions and compaction may use', async () => {
    const disk = new MemoryDisk();
    const server = await openOn(disk, { reserveBytes: 100_000 });
    disk.capacityBytes = 400_000;
    let stored = 0;
    while ((await putOne(server.blocks, { ...key(stored), data: content(10_000, stored) })).state === 'stored')
      stored++;
    assert.ok(stored > 25 && disk.freeBytes > 90_000, `${stored} stored, ${disk.freeBytes} free`);
    await server.blocks.delete({ items: Array.from({ length: stored }, (_, index) => key(index)) });
    await server.compacting();
    assert.equal((await putOne(server.blocks, { ...key(1000), data: content(10_000, 1) })).state, 'stored');
    assert.ok(disk.usedBytes < 150_000, `${disk.usedBytes} used`);
    await server.close();
  });
});

describe('a data server on a failing disk', () => {
  it('fails what could not be written, and only that', async () => {
    const disk = new MemoryDisk();
    const server = await openOn(disk);
    const data = content(9000, 1);
    await putOne(server.blocks, { ...key(0), data });
    disk.failWrite = Object.assign(new Error('input/output error'), { code: 'EIO' });
    await assert.rejects(putOne(server.blocks, { ...key(1), data }), isFailure);
    await assert.rejects(server.blocks.delete({ items: [key(0)] }), isFailure);
    disk.failWrite = null;
    assert.deepEqual(await getOne(server.blocks, key(1)), { state: 'absent' });
    assert.deepEqual(await goodBytes(server.blocks, key(0), hashBlock(data)), data);
    await server.close();
  });

  it('trusts nothing that was behind a failed sync until it is written anew', async () => {
    const disk = new MemoryDisk();
    const log = new RecordingLog();
    const server = await openOn(disk, { log });
    const safe = content(9000, 1);
    const loose = content(9000, 2);
    await putOne(server.blocks, { ...key(0), data: safe });
    await putOne(server.blocks, { ...key(1), data: loose }, { durable: false });
    disk.failSync = Object.assign(new Error('input/output error'), { code: 'EIO' });
    await assert.rejects(putOne(server.blocks, { ...key(2), data: safe }), isFailure);
    disk.failSync = null;
    await server.compacting();
    assert.equal(log.named('segment.sync_failed').length, 1);
    // A patch on what was not durable must be durable as a whole.
    const writes = [{ offset: 0, data: content(10, 3) }];
    const patch = { ...key(1, 2), base: 1, baseHash: hashBlock(loose), length: 9000, writes };
    assert.equal((await putOne(server.blocks, patch)).state, 'stored');
    disk.cutPower('all');
    await server.close().catch(() => undefined);
    const again = await openOn(disk);
    assert.deepEqual(await goodBytes(again.blocks, key(0), hashBlock(safe)), safe);
    const expected = patched(loose, 9000, writes);
    assert.deepEqual(await goodBytes(again.blocks, key(1, 2), hashBlock(expected)), expected);
    await again.close();
  });

  for (const [indexed, nextIndex] of [
    ['its index', (index: IndexFactory) => index],
    ['a new index', () => memoryIndexFactory()],
  ] as const) {
    it(`knows after a restart, with ${indexed}, what a failed sync left behind`, async () => {
      const disk = new MemoryDisk();
      const index = memoryIndexFactory();
      const server = await openOn(disk, { index: whileAlive(index, disk) });
      const data = content(9000, 1);
      await putOne(server.blocks, { ...key(0), data });
      await putOne(server.blocks, { ...key(1), data }, { durable: false });
      const failure = Object.assign(new Error('input/output error'), { code: 'EIO' });
      // Nor can there be a segment to write it to.
      disk.failSync = failure;
      disk.failDirectorySync = failure;
      await assert.rejects(server.blocks.flush({}), isFailure);
      disk.killProcess();
      await server.close().catch(() => undefined);
      disk.failSync = null;
      disk.failDirectorySync = null;
      const again = await openOn(disk, { index: nextIndex(index) });
      await allDurable(again.blocks);
      assert.equal(disk.content(`${STORE}/unsafe.json`).toString(), '{"format":1,"segments":[]}\n');
      disk.cutPower('all');
      await again.close().catch(() => undefined);
      const last = await openOn(disk);
      for (const number of [0, 1]) {
        assert.deepEqual(await goodBytes(last.blocks, key(number), hashBlock(data)), data);
      }
      await last.close();
    });
  }

  it('keeps the durable copy of what compaction moved until the place that it moved to is durable too', async () => {
    const disk = new MemoryDisk();
    const log = new RecordingLog();
    const server = await openOn(disk, { log });
    const { blocks } = server;
    const base = content(20_000, 1);
    await putOne(blocks, { ...key(0), data: base });
    await putOne(blocks, { ...key(1), data: content(60_000, 2) });
    // In the second segment, on pages of the first.
    const writes = [{ offset: 0, data: content(10, 3) }];
    const patch = { ...key(0, 2), base: 1, baseHash: hashBlock(base), length: base.length, writes };
    assert.equal((await putOne(blocks, patch)).state, 'stored');
    await putOne(blocks, { ...key(2), data: content(70_000, 4) });
    await putOne(blocks, { ...key(3), data: content(1000, 5) });
    // The first segment is compacted into the third, which is not synced, and there can't be a fourth.
    const failure = Object.assign(new Error('input/output error'), { code: 'EIO' });
    disk.failSync = failure;
    disk.failDirectorySync = failure;
    await blocks.delete({ items: [key(0), key(1)] });
    while (log.named('compaction.failed').length < 2) await turn();
    await assert.rejects(blocks.flush({}), isFailure);
    disk.failSync = null;
    disk.failDirectorySync = null;
    // Nothing in the second is alive any more.
    await blocks.delete({ items: [key(2)] });
    await putOne(blocks, { ...key(4), data: content(1000, 6) });
    await allDurable(blocks);
    await server.compacting();
    assert.ok(!disk.paths().includes(segmentPath(1)), 'the first segment went once it could');
    assert.ok(!disk.paths().includes(segmentPath(2)), 'and the second');
    await assertDurable(disk, server, key(0, 2), patched(base, base.length, writes));
  });

  it('stores a patch as a whole when the sync of its base fails while it is planned', async () => {
    const disk = new MemoryDisk();
    const server = await openOn(disk, {
      log: {
        ...silentLog,
        error() {
          disk.failSync = null;
        },
      },
    });
    // Fills its segment, so that it is synced before the next one is begun.
    const base = content(70_000, 1);
    await putOne(server.blocks, { ...key(0), data: base }, { durable: false });
    disk.failSync = Object.assign(new Error('input/output error'), { code: 'EIO' });
    const writes = [{ offset: 0, data: content(10, 3) }];
    const patch = { ...key(0, 2), base: 1, baseHash: hashBlock(base), length: base.length, writes };
    assert.equal((await putOne(server.blocks, patch)).state, 'stored');
    await assertDurable(disk, server, key(0, 2), patched(base, base.length, writes));
  });

  it('goes on, and stops in order, when its index takes nothing; the log has everything', async () => {
    const disk = new MemoryDisk();
    const log = new RecordingLog();
    const refusing: IndexFactory = async (directory, runtime) => {
      const index = await rows(directory, runtime);
      const { write } = index;
      let writes = 0;
      // The first is the start's own.
      index.write = (changes) => {
        if (writes++ > 0) throw new Error('the index is broken');
        write.call(index, changes);
      };
      return index;
    };
    const rows = memoryIndexFactory();
    const server = await openOn(disk, { index: refusing, log });
    const data = content(9000, 1);
    assert.equal((await putOne(server.blocks, { ...key(0), data })).state, 'stored');
    assert.deepEqual(await goodBytes(server.blocks, key(0), hashBlock(data)), data);
    await server.close();
    assert.ok(log.named('index.save_failed').length > 0);
    const again = await openOn(disk, { index: rows });
    assert.deepEqual(await goodBytes(again.blocks, key(0), hashBlock(data)), data);
    await again.close();
  });

  it('says damaged when the disk can not be read', async () => {
    const disk = new MemoryDisk();
    const server = await openOn(disk);
    const data = content(9000, 1);
    await putOne(server.blocks, { ...key(0), data });
    disk.failRead = Object.assign(new Error('input/output error'), { code: 'EIO' });
    assert.deepEqual(await getOne(server.blocks, key(0)), { state: 'damaged' });
    const writes = [{ offset: 1, data: content(10, 3) }];
    const patch = { ...key(0, 2), base: 1, baseHash: hashBlock(data), length: 9000, writes };
    assert.deepEqual(await putOne(server.blocks, patch), { state: 'no-base' });
    // The ballot alone needs no byte of it.
    const { results } = await server.blocks.get({ items: [{ ...key(0), offset: 0, length: 0, data: false }] });
    assert.equal(first(results).state, 'present');
    disk.failRead = null;
    assert.deepEqual(await goodBytes(server.blocks, key(0), hashBlock(data)), data);
    await server.close();
  });

  it('says damaged when the segment is gone', async () => {
    const disk = new MemoryDisk();
    const index = memoryIndexFactory();
    const server = await openOn(disk, { index, segmentBytes: 8192 });
    for (const at of [0, 1, 2]) await putOne(server.blocks, { ...key(at), data: content(9000, at) });
    await server.close();
    await disk.remove(segmentPath(1));
    const again = await openOn(disk, { index, segmentBytes: 8192 });
    assert.deepEqual(await getOne(again.blocks, key(0)), { state: 'damaged' });
    assert.equal((await getOne(again.blocks, key(1))).state, 'present');
    await again.close();
  });
});

function isFailure(error: unknown): boolean {
  return error instanceof ServiceError && error.code === 'FAILED';
}

/** Cuts the power; what was not synced is gone. */
async function assertDurable(disk: MemoryDisk, server: Dataserver, block: BlockKey, expected: Buffer): Promise<void> {
  disk.cutPower('all');
  // It finds its disk gone.
  await server.close().catch(() => undefined);
  const again = await openOn(disk);
  assert.deepEqual(await goodBytes(again.blocks, block, hashBlock(expected)), expected);
  await again.close();
}

/** An index that takes nothing any more when its process has died. */
function whileAlive(factory: IndexFactory, disk: MemoryDisk): IndexFactory {
  return async (directory, runtime) => {
    const index = await factory(directory, runtime);
    const { life } = disk;
    const { write } = index;
    index.write = (changes) => {
      if (disk.life !== life) throw new Error('the process is gone');
      write.call(index, changes);
    };
    return index;
  };
}
