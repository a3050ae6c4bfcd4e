// What a metaserver answers while its disk is full or takes nothing, over a storage that says so. On real disks, and with LMDB:
// test/end-to-end/metaserver-disk.test.ts.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { DISK_RETRY_MS } from '../../../src/metaserver/disk-health.js';
import { MemoryStore, memoryEngine } from '../../../src/metaserver/storage/memory-engine.js';
import type { RequestId } from '../../../src/protocol/values/request-ids.js';
import { RecordingLog } from '../../support/recording-log.js';
import { change, codeOf, makeRequest, ROOT, TestMetaserver, TestRuntime } from './harness.js';

class Disk {
  readonly store = new MemoryStore();
  failure: string | null = null;
  /** What fails in the background only. */
  backgroundFailure: Error | null = null;
  /** It can't be asked for its room. */
  isUnknown = false;
  writes = 0;
  leftBytes = Number.POSITIVE_INFINITY;

  readonly factory = memoryEngine(this.store, {
    commitDelay: async () => {
      this.writes++;
      if (this.failure !== null) throw Object.assign(new Error(`${this.failure}: refused`), { code: this.failure });
    },
    leftBytes: () => {
      if (this.isUnknown) throw Object.assign(new Error('EIO: refused'), { code: 'EIO' });
      return this.leftBytes;
    },
    failure: () => this.backgroundFailure,
  });
}

async function opened(disk = new Disk()) {
  const log = new RecordingLog();
  const meta = await TestMetaserver.open(disk.factory, new TestRuntime(log));
  const health = async () => (await meta.ask('health', { limit: 10 })).trouble;
  return { disk, meta, log, health };
}

describe('a metaserver whose storage fails in the background', () => {
  it('says so, refuses changes from then on, and takes them when it works again', async () => {
    const { disk, meta, health } = await opened();
    disk.backgroundFailure = Object.assign(new Error('EROFS: refused'), { code: 'EROFS' });
    disk.failure = 'EROFS';
    assert.equal(await health(), 'read-only');
    assert.equal(await codeOf(meta.make(ROOT, 'new')), 'EROFS');
    disk.backgroundFailure = null;
    disk.failure = null;
    assert.equal(await health(), null);
    await meta.make(ROOT, 'new');
    await meta.close();
  });
});

describe('a metaserver whose disk is full', () => {
  async function full() {
    const all = await opened();
    const { meta, disk } = all;
    const file = await meta.make(ROOT, 'file');
    await meta.make(ROOT, 'other');
    await meta.make(ROOT, 'folder', 'directory');
    await meta.fill(file.inode, 3, 1);
    disk.leftBytes = 0;
    meta.runtime.advance(2000);
    assert.equal(await all.health(), 'full');
    return { ...all, inode: file.inode };
  }

  it('refuses what takes room with ENOSPC, and nothing has changed', async () => {
    const { meta, inode, log } = await full();
    const before = [await meta.names(ROOT), await meta.versions(inode), await meta.attributes(ROOT)];
    const xattr = { inode, name: 'user.a', value: Buffer.from('b'), mode: 'set' } as const;
    const renamed = { parent: ROOT, name: 'file', newParent: ROOT, newName: 'x', mode: 'replace', held: [] } as const;
    assert.equal(await codeOf(meta.make(ROOT, 'new')), 'ENOSPC');
    assert.equal(await codeOf(meta.do('link', { inode, parent: ROOT, name: 'new' })), 'ENOSPC');
    assert.equal(await codeOf(meta.do('setxattr', xattr)), 'ENOSPC');
    assert.equal(await codeOf(meta.do('rename', { ...renamed, held: [] })), 'ENOSPC');
    assert.equal(await codeOf(meta.commit(inode, [change(0, 1, 9)])), 'ENOSPC');
    const overwritten = { truncateTo: 0, minimumSizeBytes: 100 };
    assert.equal(await codeOf(meta.commit(inode, [change(0, 0, 9, 100)], overwritten)), 'ENOSPC');
    assert.deepEqual([await meta.names(ROOT), await meta.versions(inode), await meta.attributes(ROOT)], before);
    assert.equal(log.named('metadata.disk_full').length, 1);
    await meta.close();
  });

  it('goes on with removals, and with what readers and servers keep note of', async () => {
    const { meta, inode } = await full();
    const caller = { uid: 0, gid: 0 };
    await meta.do('setattr', { inode, changes: { accessTimeNs: 5n, accessed: true }, caller });
    await meta.commit(inode, [change(1, 2, 9, 100)], { truncateTo: 4196, minimumSizeBytes: 4196 });
    await meta.commit(inode, [], { truncateTo: 0, minimumSizeBytes: 0 });
    await meta.do('unlink', { parent: ROOT, name: 'file', held: [] });
    await meta.do('rmdir', { parent: ROOT, name: 'folder' });
    await meta.do('purge', { inode });
    await meta.do('collected', { sequences: [1] });
    await meta.do('forgetResults', { client: 'gone' });
    await meta.service.sync({});
    assert.deepEqual(await meta.names(ROOT), ['other']);
    await meta.close();
  });

  it('takes all again as soon as there is room', async () => {
    const { meta, disk, health, log } = await full();
    assert.equal(await codeOf(meta.make(ROOT, 'new')), 'ENOSPC');
    disk.leftBytes = 1e9;
    meta.runtime.advance(100);
    await meta.make(ROOT, 'new');
    assert.equal(await health(), null);
    assert.equal(log.named('metadata.disk_has_room').length, 1);
    await meta.close();
  });

  it('carries out what was answered before a crash all the same', async () => {
    const { meta } = await full();
    const request = makeRequest(ROOT, 'answered');
    await meta.service.execute({ name: 'make', timeNs: 1n, request, durable: false, again: true });
    assert.ok((await meta.names(ROOT)).includes('answered'));
    await meta.close();
  });

  it('answers a repetition from what it knows, and refuses for good what it has refused', async () => {
    const { meta, disk } = await opened();
    const id: RequestId = ['c', 0, 1];
    const made = { name: 'make' as const, timeNs: 1n, request: makeRequest(ROOT, 'a'), durable: false, id };
    await meta.service.execute(made);
    disk.leftBytes = 0;
    meta.runtime.advance(2000);
    await meta.ask('health', { limit: 10 });
    assert.equal((await meta.service.execute(made)).isRepetition, true);
    const late = { ...made, request: makeRequest(ROOT, 'b'), id: ['c', 0, 2] as RequestId };
    assert.equal(await codeOf(meta.service.execute(late)), 'ENOSPC');
    disk.leftBytes = 1e9;
    meta.runtime.advance(2000);
    assert.equal(await codeOf(meta.service.execute(late)), 'ENOSPC');
    assert.deepEqual(await meta.names(ROOT), ['a']);
    await meta.close();
  });
});

for (const [failure, trouble, code] of [
  ['EROFS', 'read-only', 'EROFS'],
  ['EIO', 'failing', 'EIO'],
  ['ENOSPC', 'full', 'ENOSPC'],
] as const) {
  describe(`a metaserver whose disk answers ${failure}`, () => {
    it('refuses changes once it knows, reads what was answered, vouches for nothing, and recovers by itself', async () => {
      const { disk, meta, health, log } = await opened();
      await meta.make(ROOT, 'stored');
      await meta.service.sync({});
      disk.failure = failure;
      await meta.make(ROOT, 'answered');
      assert.equal(await codeOf(meta.service.sync({})), 'OUTCOME_UNKNOWN');
      assert.equal(await health(), trouble);
      const tried = disk.writes;
      assert.equal(await codeOf(meta.make(ROOT, 'new')), code);
      assert.equal(disk.writes, tried, 'refused without asking the disk again');
      assert.deepEqual(await meta.names(ROOT), ['stored', 'answered']);
      const unlinking = codeOf(meta.do('unlink', { parent: ROOT, name: 'stored', held: [] }));
      assert.equal(await unlinking, trouble === 'full' ? 'none' : code);
      const kept = trouble === 'full' ? ['answered'] : ['stored', 'answered'];
      assert.deepEqual(await meta.names(ROOT), kept);
      for (let second = 0; second < 30; second++) {
        meta.runtime.advance(DISK_RETRY_MS);
        for (let turn = 0; turn < 30; turn++) await Promise.resolve();
      }
      assert.ok(disk.writes > tried + 20);
      assert.equal(log.named('metadata.commit_failed').length, 1, 'said once');
      disk.failure = null;
      meta.runtime.advance(DISK_RETRY_MS);
      await meta.make(ROOT, 'new');
      await meta.service.sync({});
      assert.equal(await health(), null);
      disk.store.crash();
      const again = await TestMetaserver.open(disk.factory);
      assert.deepEqual(await again.names(ROOT), [...kept, 'new']);
      await again.close();
    });

    it('starts, answers reads, says that all is stored that it has answered, and goes on when it can', async () => {
      const { disk, meta } = await opened();
      await meta.make(ROOT, 'stored');
      await meta.close();
      disk.failure = failure;
      const again = await TestMetaserver.open(disk.factory);
      assert.deepEqual(await again.names(ROOT), ['stored']);
      await again.service.sync({});
      assert.equal(await codeOf(again.make(ROOT, 'new')), code);
      disk.failure = null;
      again.runtime.advance(DISK_RETRY_MS);
      await again.make(ROOT, 'new');
      await again.close();
    });

    it('does not begin a new namespace', async () => {
      const disk = new Disk();
      disk.failure = failure;
      await assert.rejects(TestMetaserver.open(disk.factory), { code: failure });
    });
  });
}

describe("a metaserver's disk", () => {
  it('is not taken for well because there was nothing to store', async () => {
    const { disk, meta, health } = await opened();
    await meta.service.sync({});
    disk.isUnknown = true;
    assert.equal(await health(), 'failing');
    await meta.ask('garbage', { after: 0, limit: 1 });
    assert.equal(await codeOf(meta.make(ROOT, 'new')), 'EIO');
    await meta.close();
  });

  it('that fails when it is asked for its room is no full one', async () => {
    const { disk, meta, log } = await opened();
    disk.leftBytes = 0;
    meta.runtime.advance(2000);
    await meta.ask('health', { limit: 1 });
    disk.isUnknown = true;
    assert.equal(await codeOf(meta.make(ROOT, 'new')), 'EIO');
    assert.equal(log.named('metadata.disk_full').length, 0);
    disk.isUnknown = false;
    disk.leftBytes = 1e9;
    meta.runtime.advance(DISK_RETRY_MS);
    await meta.make(ROOT, 'new');
    await meta.close();
  });

  it('has what was refused for good when somebody has synced', async () => {
    const { disk, meta } = await opened();
    await meta.make(ROOT, 'name');
    await meta.service.sync({});
    const id: RequestId = ['c', 0, 1];
    const again = { name: 'make' as const, timeNs: 1n, request: makeRequest(ROOT, 'name'), durable: false, id };
    assert.equal(await codeOf(meta.service.execute(again)), 'EEXIST');
    const { writes } = disk;
    await meta.service.sync({});
    assert.equal(disk.writes, writes + 1);
    await meta.close();
  });
});
