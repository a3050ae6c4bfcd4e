// Names: what POSIX says of making, linking, removing and listing; for renames see metadata-renaming.ts.
import assert from 'node:assert/strict';
import type { FileKind } from '../../src/protocol/services/files.js';
import { BLOCK_BYTES, codeOf, makeRequest, ROOT, type TestMetaserver } from '../unit/metaserver/harness.js';
import { rename, renamingCases } from './metadata-renaming.js';

type Cases = Record<string, (meta: TestMetaserver) => Promise<void>>;

const making: Cases = {
  async 'starts with an empty root of mode 755, owned by the superuser, with two links'(meta) {
    const root = await meta.attributes(ROOT);
    assert.deepEqual(
      { kind: root.kind, mode: root.mode, uid: root.uid, gid: root.gid, links: root.links, size: root.sizeBytes },
      { kind: 'directory', mode: 0o755, uid: 0, gid: 0, links: 2, size: 0 },
    );
    assert.deepEqual(await meta.ask('readdir', { inode: ROOT, cookie: 0, limit: 10, attributes: true }), {
      entries: [],
      done: true,
      directory: { attributes: root, parent: ROOT, children: 0, nextCookie: 3, state: 'named' },
    });
    assert.equal((await meta.ask('statistics', {})).inodes, 1);
  },

  async 'makes each kind with what it was given'(meta) {
    const kinds: FileKind[] = ['file', 'directory', 'symlink', 'fifo', 'socket', 'character', 'block'];
    for (const kind of kinds) {
      const made = await meta.make(ROOT, kind, kind, 0o640);
      const isDevice = kind === 'character' || kind === 'block';
      assert.deepEqual(made, {
        inode: made.inode,
        kind,
        mode: 0o640,
        links: kind === 'directory' ? 2 : 1,
        uid: 10,
        gid: 20,
        sizeBytes: kind === 'symlink' ? 'over/there'.length : 0,
        allocatedBytes: 0,
        accessTimeNs: meta.timeNs,
        modifyTimeNs: meta.timeNs,
        changeTimeNs: meta.timeNs,
        device: isDevice ? 259 : 0,
        blockSizeBytes: BLOCK_BYTES,
        extendedAttributes: 0,
        revision: 1,
      });
      assert.deepEqual(await meta.ask('lookup', { parent: ROOT, name: kind }), made);
      assert.deepEqual(await meta.attributes(made.inode), made);
    }
    const { inode } = await meta.ask('lookup', { parent: ROOT, name: 'symlink' });
    assert.deepEqual(await meta.ask('readlink', { inode }), { target: 'over/there' });
    assert.equal(await codeOf(meta.ask('readlink', { inode: ROOT })), 'EINVAL');
  },

  async 'sets the times of the parent, and its links for a subdirectory'(meta) {
    await meta.make(ROOT, 'file');
    const afterFile = await meta.attributes(ROOT);
    assert.deepEqual([afterFile.links, afterFile.modifyTimeNs, afterFile.changeTimeNs], [2, meta.timeNs, meta.timeNs]);
    await meta.make(ROOT, 'directory', 'directory');
    const afterDirectory = await meta.attributes(ROOT);
    assert.deepEqual([afterDirectory.links, afterDirectory.changeTimeNs], [3, meta.timeNs]);
    assert.equal(afterDirectory.revision, afterFile.revision + 1);
  },

  async 'lets what is made in a setgid directory belong to its group'(meta) {
    const parent = await meta.make(ROOT, 'shared', 'directory', 0o2775);
    await meta.do('setattr', { inode: parent.inode, changes: { gid: 77 }, caller: { uid: 0, gid: 0 } });
    const file = await meta.make(parent.inode, 'file', 'file', 0o644);
    const directory = await meta.make(parent.inode, 'directory', 'directory', 0o755);
    assert.deepEqual([file.gid, file.mode], [77, 0o644]);
    assert.deepEqual([directory.gid, directory.mode], [77, 0o2755]);
  },

  async 'answers an existing file unless told to be exclusive'(meta) {
    const file = await meta.make(ROOT, 'file');
    await meta.make(ROOT, 'directory', 'directory');
    await meta.make(ROOT, 'fifo', 'fifo');
    const open = (name: string, exclusive: boolean) => meta.do('make', { ...makeRequest(ROOT, name), exclusive });
    assert.deepEqual(await open('file', false), { attributes: file, created: false, changed: [] });
    assert.equal(await codeOf(open('file', true)), 'EEXIST');
    assert.equal(await codeOf(open('directory', false)), 'EISDIR');
    assert.equal(await codeOf(open('fifo', false)), 'EEXIST');
    const mkdir = meta.do('make', { ...makeRequest(ROOT, 'directory', 'directory'), exclusive: false });
    assert.equal(await codeOf(mkdir), 'EEXIST');
  },

  async 'makes nothing under a number that was never given out or is in use'(meta) {
    const file = await meta.make(ROOT, 'file');
    const held = await meta.make(ROOT, 'held');
    await meta.do('unlink', { parent: ROOT, name: 'held', held: [held.inode] });
    const before = [await meta.attributes(ROOT), await meta.ask('statistics', {})];
    const unnamed = { parent: ROOT, mode: 0o600, caller: { uid: 1, gid: 2 }, blockSizeBytes: BLOCK_BYTES };
    for (const inode of [ROOT, file.inode, held.inode, held.inode + 1, Number.MAX_SAFE_INTEGER - 1]) {
      assert.equal(await codeOf(meta.do('make', { ...makeRequest(ROOT, 'new'), inode })), 'EINVAL', `${inode}`);
      assert.equal(await codeOf(meta.do('makeUnnamed', { ...unnamed, inode })), 'EINVAL', `${inode}`);
    }
    assert.deepEqual([await meta.attributes(ROOT), await meta.ask('statistics', {})], before);
    assert.equal((await meta.make(ROOT, 'next')).inode, held.inode + 1);
  },

  async 'looks at no number where it answers a file that is there'(meta) {
    const file = await meta.make(ROOT, 'file');
    for (const inode of [file.inode, ROOT, 999]) {
      const request = { ...makeRequest(ROOT, 'file'), exclusive: false, inode };
      assert.deepEqual(await meta.do('make', request), { attributes: file, created: false, changed: [] });
    }
  },

  async 'refuses what can be no name'(meta) {
    const expected: [string, string][] = [
      ['', 'EINVAL'],
      ['.', 'EINVAL'],
      ['..', 'EINVAL'],
      ['a/b', 'EINVAL'],
      ['a\0', 'EINVAL'],
      ['n'.repeat(256), 'ENAMETOOLONG'],
      ['n'.repeat(255), 'none'],
      ['\u00ff\u0080\u0001 ', 'none'],
      ['...', 'none'],
    ];
    for (const [name, code] of expected) {
      assert.equal(await codeOf(meta.make(ROOT, name)), code, JSON.stringify(name));
    }
    await meta.make(ROOT, 'x');
    assert.equal(await codeOf(rename(meta, [ROOT, 'x'], [ROOT, '..'])), 'EINVAL');
    assert.equal(await codeOf(meta.do('unlink', { parent: ROOT, name: '.', held: [] })), 'EINVAL');
    assert.equal(await codeOf(meta.do('rmdir', { parent: ROOT, name: '' })), 'EINVAL');
  },

  async 'needs a parent that is a directory and still there'(meta) {
    const file = await meta.make(ROOT, 'file');
    const directory = await meta.make(ROOT, 'directory', 'directory');
    assert.equal(await codeOf(meta.make(file.inode, 'x')), 'ENOTDIR');
    assert.equal(await codeOf(meta.make(999, 'x')), 'ENOENT');
    await meta.do('rmdir', { parent: ROOT, name: 'directory' });
    assert.equal(await codeOf(meta.make(directory.inode, 'x')), 'ENOENT');
    assert.equal(await codeOf(meta.ask('lookup', { parent: file.inode, name: 'x' })), 'ENOTDIR');
    assert.equal(await codeOf(meta.ask('lookup', { parent: ROOT, name: 'x' })), 'ENOENT');
    assert.equal(
      await codeOf(meta.ask('readdir', { inode: file.inode, cookie: 0, limit: 1, attributes: false })),
      'ENOTDIR',
    );
  },

  async 'finds . and .. by lookup'(meta) {
    const directory = await meta.make(ROOT, 'directory', 'directory');
    const inner = await meta.make(directory.inode, 'inner', 'directory');
    assert.equal((await meta.ask('lookup', { parent: inner.inode, name: '..' })).inode, directory.inode);
    assert.equal((await meta.ask('lookup', { parent: inner.inode, name: '.' })).inode, inner.inode);
    assert.equal((await meta.ask('lookup', { parent: ROOT, name: '..' })).inode, ROOT);
  },
};

const removing: Cases = {
  async 'links a file under further names and counts them'(meta) {
    const file = await meta.make(ROOT, 'a');
    const { attributes } = await meta.do('link', { inode: file.inode, parent: ROOT, name: 'b' });
    assert.deepEqual([attributes.links, attributes.changeTimeNs, attributes.revision], [2, meta.timeNs, 2]);
    assert.equal((await meta.ask('lookup', { parent: ROOT, name: 'b' })).inode, file.inode);
    const unlinked = await meta.do('unlink', { parent: ROOT, name: 'a', held: [] });
    assert.deepEqual([unlinked.inode, unlinked.links], [file.inode, 1]);
    assert.equal((await meta.attributes(file.inode)).changeTimeNs, meta.timeNs);
    assert.deepEqual(await meta.ask('path', { inode: file.inode }), { path: '/b' });
  },

  async 'refuses links to directories, over names, and to what has no name'(meta) {
    const directory = await meta.make(ROOT, 'directory', 'directory');
    const file = await meta.make(ROOT, 'file');
    const link = (inode: number, name: string) => meta.do('link', { inode, parent: ROOT, name });
    assert.equal(await codeOf(link(directory.inode, 'x')), 'EPERM');
    assert.equal(await codeOf(link(file.inode, 'directory')), 'EEXIST');
    assert.equal(await codeOf(link(999, 'x')), 'ENOENT');
    await meta.do('unlink', { parent: ROOT, name: 'file', held: [file.inode] });
    assert.equal(await codeOf(link(file.inode, 'x')), 'ENOENT');
  },

  async 'removes by the call for the kind only'(meta) {
    await meta.make(ROOT, 'file');
    const directory = await meta.make(ROOT, 'directory', 'directory');
    const unlink = (name: string) => meta.do('unlink', { parent: ROOT, name, held: [] });
    const rmdir = (name: string) => meta.do('rmdir', { parent: ROOT, name });
    assert.equal(await codeOf(unlink('directory')), 'EISDIR');
    assert.equal(await codeOf(rmdir('file')), 'ENOTDIR');
    assert.equal(await codeOf(unlink('x')), 'ENOENT');
    assert.equal(await codeOf(rmdir('x')), 'ENOENT');
    await meta.make(directory.inode, 'inside');
    assert.equal(await codeOf(rmdir('directory')), 'ENOTEMPTY');
    await meta.do('unlink', { parent: directory.inode, name: 'inside', held: [] });
    await rmdir('directory');
    await unlink('file');
    const root = await meta.attributes(ROOT);
    assert.deepEqual([root.links, root.modifyTimeNs], [2, meta.timeNs]);
    assert.equal(await codeOf(meta.attributes(directory.inode)), 'ENOENT');
    assert.equal((await meta.ask('statistics', {})).inodes, 1);
  },

  async 'never gives an inode number out again'(meta) {
    const first = await meta.make(ROOT, 'a');
    await meta.do('unlink', { parent: ROOT, name: 'a', held: [] });
    assert.notEqual((await meta.make(ROOT, 'a')).inode, first.inode);
  },
};

const listing: Cases = {
  async 'lists in the order of making, page by page'(meta) {
    const names = Array.from({ length: 25 }, (_, n) => `name${(n * 7) % 25}`);
    for (const name of names) await meta.make(ROOT, name);
    const seen: string[] = [];
    let cookie = 0;
    for (let done = false; !done; ) {
      const page = await meta.ask('readdir', { inode: ROOT, cookie, limit: 5, attributes: true });
      for (const entry of page.entries) {
        assert.ok(entry.cookie > cookie && entry.cookie >= 3);
        assert.equal(entry.attributes?.inode, entry.inode);
        cookie = entry.cookie;
        seen.push(entry.name);
      }
      done = page.done;
    }
    assert.deepEqual(seen, names);
  },

  async 'resumes a listing without missing or doubling what stayed'(meta) {
    for (let n = 0; n < 10; n++) await meta.make(ROOT, `stays${n}`);
    for (let n = 0; n < 5; n++) await meta.make(ROOT, `goes${n}`);
    const first = await meta.ask('readdir', { inode: ROOT, cookie: 0, limit: 4, attributes: false });
    for (let n = 0; n < 5; n++) await meta.do('unlink', { parent: ROOT, name: `goes${n}`, held: [] });
    await meta.make(ROOT, 'replacement');
    await rename(meta, [ROOT, 'replacement'], [ROOT, 'stays1']);
    await rename(meta, [ROOT, 'stays0'], [ROOT, 'stays9'], { mode: 'exchange' });
    await meta.make(ROOT, 'new');
    const cookie = first.entries.at(-1)?.cookie ?? 0;
    const rest = await meta.ask('readdir', { inode: ROOT, cookie, limit: 100, attributes: false });
    assert.ok(rest.done);
    const names = [...first.entries, ...rest.entries].map((entry) => entry.name);
    assert.deepEqual(names, [...Array.from({ length: 10 }, (_, n) => `stays${n}`), 'new']);
  },

  async 'answers paths, for an inode with several names one of them'(meta) {
    const directory = await meta.make(ROOT, 'a', 'directory');
    const file = await meta.make(directory.inode, 'b');
    assert.deepEqual(await meta.ask('path', { inode: ROOT }), { path: '/' });
    assert.deepEqual(await meta.ask('path', { inode: file.inode }), { path: '/a/b' });
    await meta.do('unlink', { parent: directory.inode, name: 'b', held: [file.inode] });
    assert.deepEqual(await meta.ask('path', { inode: file.inode }), { path: null });
    assert.deepEqual(await meta.ask('path', { inode: 12345 }), { path: null });
  },
};

export const namingCases: Cases = { ...making, ...removing, ...renamingCases, ...listing };
