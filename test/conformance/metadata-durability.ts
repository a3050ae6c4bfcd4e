// What survives: a close keeps everything, a crash keeps all that somebody was
// promised and, of the rest, whole commands from the oldest on.
import assert from 'node:assert/strict';
import type { FileKind } from '../../src/protocol/services/files.js';
import {
  BLOCK_BYTES,
  change,
  makeRequest,
  type Place,
  ROOT,
  TestMetaserver,
  TestRuntime,
} from '../unit/metaserver/harness.js';

export const durabilityCases: Record<string, (place: Place) => Promise<void>> = {
  async 'finds everything after a close'(place) {
    const first = await TestMetaserver.open(place.factory);
    const { inode } = await first.make(ROOT, 'file');
    await first.fill(inode, 3, 1);
    const before = await first.ask('blocks', { inode, first: 0, count: 10 });
    const { clusterId } = await first.ask('statistics', {});
    await first.close();
    const second = await TestMetaserver.open(place.factory);
    assert.deepEqual(await second.ask('blocks', { inode, first: 0, count: 10 }), before);
    assert.equal((await second.ask('statistics', {})).clusterId, clusterId);
    assert.equal((await second.make(ROOT, 'next')).inode, inode + 1);
    await second.close();
  },

  async 'keeps a durable command and all before it through a crash'(place) {
    const first = await TestMetaserver.open(place.factory);
    await first.make(ROOT, 'a');
    await first.make(ROOT, 'b');
    await first.do('make', makeRequest(ROOT, 'c'), true);
    await first.make(ROOT, 'd');
    await place.crash();
    const second = await TestMetaserver.open(place.factory);
    assert.deepEqual(await second.names(ROOT), ['a', 'b', 'c']);
    await second.close();
  },

  async 'keeps everything before a sync through a crash'(place) {
    const first = await TestMetaserver.open(place.factory);
    await first.make(ROOT, 'a');
    await first.service.sync({});
    await first.make(ROOT, 'b');
    await place.crash();
    const second = await TestMetaserver.open(place.factory);
    assert.deepEqual(await second.names(ROOT), ['a']);
    await second.close();
  },

  async 'never gives out inode or version numbers again that a crash made it forget'(place) {
    const first = await TestMetaserver.open(place.factory);
    const lost = await first.make(ROOT, 'lost');
    const versions = await first.do('allocate', { count: 100 });
    const alsoLost = await first.make(ROOT, 'also lost');
    await place.crash();
    const second = await TestMetaserver.open(place.factory);
    const { inode } = await second.make(ROOT, 'new');
    assert.ok(inode > lost.inode && inode > alsoLost.inode);
    assert.deepEqual(await second.do('allocate', { count: 1 }), { first: versions.first + 100 });
    await second.close();
  },

  async 'makes again what a crash has lost, under the number that it had'(place) {
    const first = await TestMetaserver.open(place.factory);
    await first.service.sync({});
    const unnamed = { parent: ROOT, mode: 0o600, caller: { uid: 1, gid: 2 }, blockSizeBytes: BLOCK_BYTES };
    const make = (meta: TestMetaserver, kind: FileKind, inode?: number) =>
      meta.do('make', { ...makeRequest(ROOT, kind, kind), inode });
    const made = [await make(first, 'file'), await make(first, 'directory'), await make(first, 'symlink')];
    const { attributes } = await first.do('makeUnnamed', unnamed);
    await place.crash();
    const second = await TestMetaserver.open(place.factory);
    assert.deepEqual(await second.names(ROOT), []);
    const fresh = await make(second, 'fifo');
    // As they were, but for the times: the commands have other ones here.
    for (const lost of made) {
      const { inode, kind } = lost.attributes;
      const again = await make(second, kind, inode);
      const now = { accessTimeNs: second.timeNs, modifyTimeNs: second.timeNs, changeTimeNs: second.timeNs };
      assert.deepEqual(again.attributes, { ...lost.attributes, ...now, revision: 1 });
      assert.deepEqual(new Set(again.changed.map((changed) => changed.inode)), new Set([ROOT, inode]));
      assert.equal(again.created, true);
      assert.deepEqual(await second.ask('lookup', { parent: ROOT, name: kind }), again.attributes);
      assert.deepEqual(await second.ask('path', { inode }), { path: `/${kind}` });
    }
    assert.deepEqual(await second.names(ROOT), ['fifo', 'file', 'directory', 'symlink']);
    const { inode } = attributes;
    assert.equal((await second.do('makeUnnamed', { ...unnamed, inode })).attributes.inode, inode);
    assert.deepEqual(await second.ask('orphans', { limit: 10 }), { inodes: [inode] });
    assert.equal((await make(second, 'socket')).attributes.inode, fresh.attributes.inode + 1);
    await second.close();
  },

  async 'keeps its history over a close, and begins another after a crash'(place) {
    // One source of randomness, for the histories to differ by.
    const runtime = new TestRuntime();
    const open = async () => {
      const meta = await TestMetaserver.open(place.factory, runtime);
      const { history, start } = await meta.ask('statistics', {});
      return { meta, history, start };
    };
    const created = await open();
    await created.meta.close();
    const reopened = await open();
    assert.equal(reopened.history, created.history);
    assert.notEqual(reopened.start, created.start);
    await reopened.meta.make(ROOT, 'lost');
    await place.crash();
    const crashed = await open();
    assert.notEqual(crashed.history, created.history);
    await place.crash();
    const again = await open();
    assert.ok(![created.history, crashed.history].includes(again.history));
    await again.meta.close();
    const last = await open();
    assert.equal(last.history, again.history);
    await last.meta.close();
  },

  async 'shows garbage only when what made it garbage is durable'(place) {
    const first = await TestMetaserver.open(place.factory);
    const { inode } = await first.make(ROOT, 'file');
    await first.fill(inode, 1, 1);
    await first.commit(inode, [change(0, 1, 2)]);
    const garbage = await first.garbage();
    assert.deepEqual(garbage, [[inode, 0, 1]]);
    await place.crash();
    const second = await TestMetaserver.open(place.factory);
    assert.deepEqual(await second.versions(inode), [[0, 2]]);
    assert.deepEqual(await second.garbage(), garbage);
    await second.close();
  },

  async 'answers many durable commands at once'(place) {
    const first = await TestMetaserver.open(place.factory);
    await Promise.all(Array.from({ length: 50 }, (_, n) => first.do('make', makeRequest(ROOT, `name${n}`), true)));
    await place.crash();
    const second = await TestMetaserver.open(place.factory);
    assert.equal((await second.names(ROOT)).length, 50);
    await second.close();
  },
};
