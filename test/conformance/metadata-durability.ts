// What survives: a close keeps everything, a crash keeps all that somebody was
// promised and, of the rest, whole commands from the oldest on.
import assert from 'node:assert/strict';
import { change, makeRequest, type Place, ROOT, TestMetaserver } from '../unit/metaserver/harness.js';

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
