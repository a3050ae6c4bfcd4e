// Files without names: kept while somebody holds them, purged piece by piece.
import assert from 'node:assert/strict';
import { BLOCK_BYTES, change, codeOf, ROOT, type TestMetaserver } from '../unit/metaserver/harness.js';

type Cases = Record<string, (meta: TestMetaserver) => Promise<void>>;

export const orphanCases: Cases = {
  async 'keeps a file that never had a name until it is purged or named'(meta) {
    const caller = { uid: 5, gid: 6 };
    const make = async () =>
      (await meta.do('makeUnnamed', { parent: ROOT, mode: 0o640, caller, blockSizeBytes: BLOCK_BYTES })).attributes;
    const [lost, named] = [await make(), await make()];
    assert.deepEqual([lost.kind, lost.links, lost.mode, lost.uid, lost.gid], ['file', 0, 0o640, 5, 6]);
    assert.deepEqual(await meta.ask('orphans', { limit: 10 }), { inodes: [lost.inode, named.inode] });
    assert.deepEqual(await meta.ask('orphans', { limit: 1 }), { inodes: [lost.inode] });
    assert.deepEqual(await meta.ask('orphans', { after: lost.inode, limit: 10 }), { inodes: [named.inode] });
    await meta.fill(named.inode, 2, 100);
    const { attributes } = await meta.do('link', { inode: named.inode, parent: ROOT, name: 'file' });
    assert.equal(attributes.links, 1);
    assert.deepEqual(await meta.ask('orphans', { limit: 10 }), { inodes: [lost.inode] });
    assert.deepEqual(await meta.do('purge', { inode: lost.inode }), { done: true });
    assert.equal(await codeOf(meta.do('purge', { inode: named.inode })), 'EINVAL');
    // Once it had a name, it can't be named again without one.
    await meta.do('unlink', { parent: ROOT, name: 'file', held: [named.inode] });
    assert.equal(await codeOf(meta.do('link', { inode: named.inode, parent: ROOT, name: 'again' })), 'ENOENT');
    assert.equal(
      await codeOf(meta.do('makeUnnamed', { parent: named.inode, mode: 0, caller, blockSizeBytes: 4096 })),
      'ENOTDIR',
    );
  },

  async 'purges a file with its last name unless it is held'(meta) {
    const file = await meta.make(ROOT, 'file');
    await meta.fill(file.inode, 3, 100);
    await meta.do('unlink', { parent: ROOT, name: 'file', held: [999] });
    assert.equal((await meta.garbage()).length, 3);
    const { inodes, blocks, bytes } = await meta.ask('statistics', {});
    assert.deepEqual([inodes, blocks, bytes], [1, 0, 0]);
    assert.deepEqual(await meta.ask('orphans', { limit: 10 }), { inodes: [] });
  },

  async 'lets a held file be written until it is purged'(meta) {
    const { inode } = await meta.make(ROOT, 'file');
    await meta.fill(inode, 1, 100);
    assert.equal((await meta.do('unlink', { parent: ROOT, name: 'file', held: [inode] })).links, 0);
    await meta.commit(inode, [change(1, 0, 200)]);
    assert.equal((await meta.versions(inode)).length, 2);
    assert.deepEqual(await meta.ask('orphans', { limit: 10 }), { inodes: [inode] });
    assert.deepEqual(await meta.do('purge', { inode }), { done: true });
    assert.equal(await codeOf(meta.attributes(inode)), 'ENOENT');
    assert.equal(await codeOf(meta.commit(inode, [])), 'ENOENT');
    assert.equal((await meta.garbage()).length, 2);
    assert.deepEqual(await meta.do('purge', { inode }), { done: true });
  },

  async 'never purges what has a name'(meta) {
    const { inode } = await meta.make(ROOT, 'file');
    assert.equal(await codeOf(meta.do('purge', { inode })), 'EINVAL');
    assert.equal(await codeOf(meta.do('purge', { inode: ROOT })), 'EINVAL');
  },

  async 'takes a large file apart bit by bit, and it is gone from the start'(meta) {
    const { inode } = await meta.make(ROOT, 'file');
    await meta.fill(inode, 2500, 1);
    await meta.do('unlink', { parent: ROOT, name: 'file', held: [] });
    assert.equal(await codeOf(meta.attributes(inode)), 'ENOENT');
    assert.equal(await codeOf(meta.commit(inode, [change(0, 1, 9000)])), 'ENOENT');
    assert.deepEqual(await meta.ask('orphans', { limit: 10 }), { inodes: [inode] });
    const steps: [boolean, number][] = [];
    for (let done = false; !done; ) {
      done = (await meta.do('purge', { inode })).done;
      steps.push([done, (await meta.ask('statistics', {})).garbage]);
    }
    assert.deepEqual(steps, [
      [false, 1024],
      [false, 2048],
      [true, 2500],
    ]);
    assert.deepEqual(await meta.ask('orphans', { limit: 10 }), { inodes: [] });
  },
};
