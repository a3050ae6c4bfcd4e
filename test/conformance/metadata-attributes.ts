// Attributes: owners, modes, times, extended attributes, and the revision that
// tells of every change.
import assert from 'node:assert/strict';
import { ACCESS_ACL, DEFAULT_ACL } from '../../src/namespace/acl.js';
import type { Commands } from '../../src/protocol/services/metadata.js';
import { codeOf, makeRequest, ROOT, type TestMetaserver } from '../unit/metaserver/harness.js';

/** An access control list as Linux writes it: entries of tag, permissions and, for named ones, whom. */
function list(...entries: [tag: number, permissions: number, id?: number][]): Buffer {
  const bytes = Buffer.alloc(4 + 8 * entries.length, 0xff);
  bytes.writeUInt32LE(2, 0);
  entries.forEach(([tag, permissions, id = 0xffff_ffff], at) => {
    bytes.writeUInt16LE(tag, 4 + 8 * at);
    bytes.writeUInt16LE(permissions, 6 + 8 * at);
    bytes.writeUInt32LE(id, 8 + 8 * at);
  });
  return bytes;
}

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
    const counted = await meta.attributes(inode);
    assert.deepEqual([counted.changeTimeNs, counted.extendedAttributes], [meta.timeNs, 3]);
    assert.deepEqual((await meta.do('removexattr', { inode, name: 'user.a' })).attributes, {
      ...counted,
      changeTimeNs: meta.timeNs,
      extendedAttributes: 2,
      revision: counted.revision + 1,
    });
    assert.equal(await codeOf(meta.ask('getxattr', { inode, name: 'user.a' })), 'ENODATA');
    assert.equal(await codeOf(meta.do('removexattr', { inode, name: 'user.a' })), 'ENODATA');
    assert.equal((await meta.ask('getxattr', { inode, name: 'user.empty' })).value.length, 0);
    await meta.do('unlink', { parent: ROOT, name: 'file', held: [] });
  },

  async 'keeps access control lists and modes in step'(meta) {
    const { inode } = await meta.make(ROOT, 'file', 'file', 0o2640);
    const set = (name: string, value: Uint8Array, killSetgid = false) =>
      meta.do('setxattr', { inode, name, value, mode: 'set', killSetgid });
    const named = list([1, 6], [2, 4, 1000], [4, 0], [16, 5], [32, 1]);
    assert.equal((await set(ACCESS_ACL, named)).attributes.mode, 0o2651);
    await setattr(meta, inode, { mode: 0o700 });
    assert.deepEqual(
      Buffer.from((await meta.ask('getxattr', { inode, name: ACCESS_ACL })).value),
      list([1, 7], [2, 4, 1000], [4, 0], [16, 0], [32, 0]),
    );
    await setattr(meta, inode, { mode: 0o2700 });
    assert.equal((await set(ACCESS_ACL, named, true)).attributes.mode, 0o651);
    const plain = await set(ACCESS_ACL, list([1, 6], [4, 4], [32, 0]));
    assert.deepEqual([plain.attributes.mode, plain.attributes.extendedAttributes], [0o640, 0]);
    assert.deepEqual(await meta.ask('listxattr', { inode }), { names: [] });
    const bad = [
      list([1, 6], [4, 4]),
      list([1, 6], [2, 4, 7], [4, 4], [32, 0]),
      list([1, 8], [4, 4], [32, 0]),
      named.subarray(1),
    ];
    for (const value of bad) assert.equal(await codeOf(set(ACCESS_ACL, value)), 'EINVAL');
  },

  async 'gives new inodes what a default access control list says, instead of the umask'(meta) {
    const make = async (parent: number, name: string, kind: 'file' | 'directory' | 'symlink', mode: number) => {
      const request = { ...makeRequest(parent, name, kind, mode), umask: 0o22 };
      return (await meta.do('make', kind === 'symlink' ? { ...request, target: 'x' } : request)).attributes;
    };
    const directory = await make(ROOT, 'directory', 'directory', 0o777);
    assert.equal(directory.mode, 0o755);
    const value = list([1, 7], [2, 7, 1000], [4, 7], [16, 7], [32, 5]);
    await meta.do('setxattr', { inode: directory.inode, name: DEFAULT_ACL, value, mode: 'set' });
    const file = await make(directory.inode, 'file', 'file', 0o666);
    assert.deepEqual([file.mode, file.extendedAttributes], [0o664, 1]);
    const access = await meta.ask('getxattr', { inode: file.inode, name: ACCESS_ACL });
    assert.deepEqual(Buffer.from(access.value), list([1, 6], [2, 7, 1000], [4, 7], [16, 6], [32, 4]));
    const below = await make(directory.inode, 'below', 'directory', 0o777);
    assert.deepEqual([below.mode, below.extendedAttributes], [0o775, 2]);
    assert.equal((await make(directory.inode, 'link', 'symlink', 0o777)).extendedAttributes, 0);
    const caller = { uid: 0, gid: 0 };
    const request = { parent: directory.inode, mode: 0o600, umask: 0o77, caller, blockSizeBytes: 4096 };
    const { attributes } = await meta.do('makeUnnamed', request);
    assert.deepEqual([attributes.mode, attributes.extendedAttributes], [0o600, 1]);
    const plain = list([1, 7], [4, 5], [32, 5]);
    await meta.do('setxattr', { inode: directory.inode, name: DEFAULT_ACL, value: plain, mode: 'set' });
    const simple = await make(directory.inode, 'simple', 'file', 0o666);
    assert.deepEqual([simple.mode, simple.extendedAttributes], [0o644, 0]);
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
