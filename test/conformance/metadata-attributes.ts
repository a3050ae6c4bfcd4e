// Attributes: owners, modes, times, extended attributes, and the revision that
// tells of every change.
import assert from 'node:assert/strict';
import type { Commands } from '../../src/protocol/metadata.js';
import { codeOf, ROOT, type TestMetaserver } from '../unit/metaserver/harness.js';

type Changes = Commands['setattr']['request']['changes'];

async function setattr(meta: TestMetaserver, inode: number, changes: Changes) {
  return (await meta.do('setattr', { inode, changes, caller: { uid: 0, gid: 0 } })).attributes;
}

export const attributeCases: Record<string, (meta: TestMetaserver) => Promise<void>> = {
  async 'sets what is named and leaves the rest, and tells by change time and revision'(meta) {
    const file = await meta.make(ROOT, 'file');
    const changed = await setattr(meta, file.inode, { mode: 0o600, modifyTimeNs: -5n });
    assert.deepEqual(changed, {
      ...file,
      mode: 0o600,
      modifyTimeNs: -5n,
      changeTimeNs: meta.timeNs,
      revision: file.revision + 1,
    });
    const again = await setattr(meta, file.inode, { accessTimeNs: 2n ** 62n, uid: 1, gid: 4294967295 });
    assert.deepEqual([again.accessTimeNs, again.uid, again.gid], [2n ** 62n, 1, 4294967295]);
    assert.deepEqual(await meta.attributes(file.inode), again);
    assert.equal(await codeOf(setattr(meta, 999, { mode: 0 })), 'ENOENT');
  },

  async 'moves nothing but the access time of what was read'(meta) {
    const file = await meta.make(ROOT, 'read');
    const read = await setattr(meta, file.inode, { accessed: true });
    assert.deepEqual(read, { ...file, accessTimeNs: meta.timeNs });
    assert.deepEqual(await meta.attributes(file.inode), read);
    const both = await setattr(meta, file.inode, { accessed: true, mode: 0o600 });
    assert.deepEqual([both.mode, both.revision, both.accessTimeNs], [0o600, file.revision + 1, meta.timeNs]);
  },

  async 'takes setuid and setgid from a file that changes its owner'(meta) {
    const cases: [number, Changes, number][] = [
      [0o6755, { uid: 5 }, 0o755],
      [0o6755, { gid: 5 }, 0o755],
      // Without group execution, the bit means mandatory locking.
      [0o6745, { uid: 5 }, 0o2745],
      [0o6755, { modifyTimeNs: 1n }, 0o6755],
      [0o6755, { uid: 5, mode: 0o4711 }, 0o4711],
    ];
    for (const [n, [mode, changes, expected]] of cases.entries()) {
      const { inode } = await meta.make(ROOT, `file${n}`, 'file', mode);
      assert.equal((await setattr(meta, inode, changes)).mode, expected, `case ${n}`);
    }
    const directory = await meta.make(ROOT, 'directory', 'directory', 0o6755);
    assert.equal((await setattr(meta, directory.inode, { uid: 5 })).mode, 0o6755);
  },

  async 'keeps extended attributes'(meta) {
    const { inode } = await meta.make(ROOT, 'file');
    const set = (name: string, value: string, mode: 'set' | 'create' | 'replace' = 'set') =>
      meta.do('setxattr', { inode, name, value: Buffer.from(value), mode });
    await set('user.b', 'two');
    await set('user.a', 'one');
    await set('user.empty', '');
    assert.deepEqual(await meta.ask('listxattr', { inode }), { names: ['user.a', 'user.b', 'user.empty'] });
    assert.equal(await codeOf(set('user.a', 'x', 'create')), 'EEXIST');
    assert.equal(await codeOf(set('user.c', 'x', 'replace')), 'ENODATA');
    await set('user.a', 'new', 'replace');
    const { value } = await meta.ask('getxattr', { inode, name: 'user.a' });
    assert.equal(Buffer.from(value).toString(), 'new');
    assert.equal((await meta.attributes(inode)).changeTimeNs, meta.timeNs);
    await meta.do('removexattr', { inode, name: 'user.a' });
    assert.equal(await codeOf(meta.ask('getxattr', { inode, name: 'user.a' })), 'ENODATA');
    assert.equal(await codeOf(meta.do('removexattr', { inode, name: 'user.a' })), 'ENODATA');
    assert.equal((await meta.ask('getxattr', { inode, name: 'user.empty' })).value.length, 0);
    await meta.do('unlink', { parent: ROOT, name: 'file', held: [] });
  },

  async 'bounds extended attributes as Linux does'(meta) {
    const { inode } = await meta.make(ROOT, 'file');
    const set = (name: string, sizeBytes: number) =>
      codeOf(meta.do('setxattr', { inode, name, value: new Uint8Array(sizeBytes), mode: 'set' }));
    assert.equal(await set('n'.repeat(255), 65_536), 'none');
    assert.equal(await set('n'.repeat(256), 1), 'ERANGE');
    assert.equal(await set('', 1), 'ERANGE');
    assert.equal(await set('large', 65_537), 'E2BIG');
    let code = 'none';
    let count = 1;
    for (; code === 'none' && count < 300; count++) code = await set(`${'n'.repeat(250)}${1000 + count}`, 0);
    assert.equal(code, 'ENOSPC');
    const { names } = await meta.ask('listxattr', { inode });
    assert.ok(names.reduce((sum, name) => sum + name.length + 1, 0) <= 65_536);
  },
};
