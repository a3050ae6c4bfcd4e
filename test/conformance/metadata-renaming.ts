// Renames: what POSIX says of them, and what Linux adds: a rename that replaces nothing, and an exchange.
import assert from 'node:assert/strict';
import type { Attributes, Changed } from '../../src/protocol/services/files.js';
import type { Commands } from '../../src/protocol/services/metadata.js';
import { codeOf, makeRequest, ROOT, type TestMetaserver } from '../unit/metaserver/harness.js';

type Cases = Record<string, (meta: TestMetaserver) => Promise<void>>;

export function rename(
  meta: TestMetaserver,
  from: [number, string],
  to: [number, string],
  more: Partial<Commands['rename']['request']> = {},
) {
  const [parent, name] = from;
  const [newParent, newName] = to;
  return meta.do('rename', { parent, name, newParent, newName, mode: 'replace', held: [], ...more });
}

export const renamingCases: Cases = {
  async 'answers what every change of names leaves of what it touches'(meta) {
    const from = await meta.make(ROOT, 'from', 'directory');
    const to = await meta.make(ROOT, 'to', 'directory');
    const file = await meta.make(from.inode, 'file');
    const inner = await meta.make(from.inode, 'inner', 'directory');
    const touches = async (change: Promise<Changed>, ...inodes: number[]) => {
      const { changed } = await change;
      const now = await Promise.all(inodes.map((inode) => meta.attributes(inode)));
      const order = (a: Attributes, b: Attributes) => a.inode - b.inode;
      assert.deepEqual([...changed].sort(order), now.sort(order));
    };
    const made = await meta.do('make', makeRequest(from.inode, 'new'));
    await touches(Promise.resolve(made), from.inode, made.attributes.inode);
    await touches(meta.do('link', { inode: file.inode, parent: to.inode, name: 'second' }), to.inode, file.inode);
    await touches(meta.do('unlink', { parent: from.inode, name: 'file', held: [] }), from.inode, file.inode);
    await touches(rename(meta, [from.inode, 'inner'], [to.inode, 'moved']), from.inode, to.inode, inner.inode);
    await touches(
      rename(meta, [to.inode, 'moved'], [to.inode, 'second'], { mode: 'exchange' }),
      to.inode,
      inner.inode,
      file.inode,
    );
    await touches(meta.do('rmdir', { parent: to.inode, name: 'second' }), to.inode);
    const whitened = rename(meta, [from.inode, 'new'], [to.inode, 'new'], { whiteout: { uid: 7, gid: 8 } });
    const { whiteout = 0 } = await whitened;
    await touches(whitened, from.inode, to.inode, made.attributes.inode, whiteout);
  },

  async 'moves a file and a directory, with the links that .. makes'(meta) {
    const from = await meta.make(ROOT, 'from', 'directory');
    const to = await meta.make(ROOT, 'to', 'directory');
    const file = await meta.make(from.inode, 'file');
    const inner = await meta.make(from.inode, 'inner', 'directory');
    assert.equal((await rename(meta, [from.inode, 'file'], [to.inode, 'moved'])).replaced, undefined);
    const moved = await meta.attributes(file.inode);
    assert.deepEqual([moved.changeTimeNs, moved.modifyTimeNs], [meta.timeNs, file.modifyTimeNs]);
    await rename(meta, [from.inode, 'inner'], [to.inode, 'inner']);
    assert.deepEqual(await meta.names(from.inode), []);
    assert.deepEqual(await meta.names(to.inode), ['moved', 'inner']);
    assert.equal((await meta.attributes(from.inode)).links, 2);
    assert.equal((await meta.attributes(to.inode)).links, 3);
    assert.equal((await meta.ask('lookup', { parent: inner.inode, name: '..' })).inode, to.inode);
    assert.deepEqual(await meta.ask('path', { inode: inner.inode }), { path: '/to/inner' });
    assert.equal((await meta.attributes(from.inode)).modifyTimeNs, meta.timeNs);
  },

  async 'replaces a file, whose last name goes'(meta) {
    const source = await meta.make(ROOT, 'source');
    const target = await meta.make(ROOT, 'target');
    assert.equal((await rename(meta, [ROOT, 'source'], [ROOT, 'target'])).replaced, target.inode);
    assert.equal((await meta.ask('lookup', { parent: ROOT, name: 'target' })).inode, source.inode);
    assert.equal(await codeOf(meta.attributes(target.inode)), 'ENOENT');
    assert.deepEqual(await meta.names(ROOT), ['target']);
  },

  async 'keeps a replaced file that is held'(meta) {
    await meta.make(ROOT, 'source');
    const target = await meta.make(ROOT, 'target');
    await meta.fill(target.inode, 2, 1);
    await rename(meta, [ROOT, 'source'], [ROOT, 'target'], { held: [target.inode] });
    assert.equal((await meta.attributes(target.inode)).links, 0);
    assert.equal((await meta.versions(target.inode)).length, 2);
    assert.deepEqual(await meta.ask('orphans', { limit: 10 }), { inodes: [target.inode] });
  },

  async 'lets only like replace like'(meta) {
    await meta.make(ROOT, 'file');
    const directory = await meta.make(ROOT, 'directory', 'directory');
    const full = await meta.make(ROOT, 'full', 'directory');
    await meta.make(full.inode, 'inside');
    const attempt = (from: string, to: string) => codeOf(rename(meta, [ROOT, from], [ROOT, to]));
    assert.equal(await attempt('file', 'directory'), 'EISDIR');
    assert.equal(await attempt('directory', 'file'), 'ENOTDIR');
    assert.equal(await attempt('directory', 'full'), 'ENOTEMPTY');
    assert.equal(await attempt('missing', 'x'), 'ENOENT');
    assert.equal(await attempt('full', 'directory'), 'none');
    assert.equal(await codeOf(meta.attributes(directory.inode)), 'ENOENT');
    assert.equal((await meta.attributes(ROOT)).links, 3);
  },

  async 'does nothing between two names of one file'(meta) {
    const file = await meta.make(ROOT, 'a');
    await meta.do('link', { inode: file.inode, parent: ROOT, name: 'b' });
    const before = await meta.attributes(file.inode);
    assert.deepEqual(await rename(meta, [ROOT, 'a'], [ROOT, 'b']), { changed: [] });
    assert.deepEqual(await meta.names(ROOT), ['a', 'b']);
    assert.deepEqual(await meta.attributes(file.inode), before);
    assert.deepEqual(await rename(meta, [ROOT, 'a'], [ROOT, 'a']), { changed: [] });
  },

  async 'never moves a directory into itself'(meta) {
    const outer = await meta.make(ROOT, 'outer', 'directory');
    const inner = await meta.make(outer.inode, 'inner', 'directory');
    const deep = await meta.make(inner.inode, 'deep', 'directory');
    await meta.make(ROOT, 'other');
    assert.equal(await codeOf(rename(meta, [ROOT, 'outer'], [outer.inode, 'x'])), 'EINVAL');
    assert.equal(await codeOf(rename(meta, [ROOT, 'outer'], [deep.inode, 'x'])), 'EINVAL');
    assert.equal(await codeOf(rename(meta, [outer.inode, 'inner'], [ROOT, 'outer'])), 'ENOTEMPTY');
    const exchange = { mode: 'exchange' } as const;
    assert.equal(await codeOf(rename(meta, [ROOT, 'outer'], [inner.inode, 'deep'], exchange)), 'EINVAL');
    assert.equal(await codeOf(rename(meta, [inner.inode, 'deep'], [ROOT, 'outer'], exchange)), 'EINVAL');
  },

  async 'with no-replace refuses any name that is there'(meta) {
    const file = await meta.make(ROOT, 'a');
    await meta.do('link', { inode: file.inode, parent: ROOT, name: 'b' });
    assert.equal(await codeOf(rename(meta, [ROOT, 'a'], [ROOT, 'b'], { mode: 'no-replace' })), 'EEXIST');
    assert.equal((await rename(meta, [ROOT, 'a'], [ROOT, 'c'], { mode: 'no-replace' })).replaced, undefined);
    assert.deepEqual(await meta.names(ROOT), ['b', 'c']);
  },

  async 'leaves a whiteout in the place of the name, whatever it moves or replaces'(meta) {
    const whiteout = { uid: 7, gid: 8 };
    const directory = await meta.make(ROOT, 'directory', 'directory');
    await meta.make(ROOT, 'file');
    const target = await meta.make(directory.inode, 'target');
    const moved = await rename(meta, [ROOT, 'file'], [directory.inode, 'target'], { whiteout });
    assert.equal(moved.replaced, target.inode);
    const left = await meta.ask('lookup', { parent: ROOT, name: 'file' });
    assert.equal(left.inode, moved.whiteout);
    const { kind, mode, device, uid, gid, links } = left;
    assert.deepEqual(
      { kind, mode, device, uid, gid, links },
      {
        ...{ kind: 'character', mode: 0, device: 0, links: 1 },
        ...whiteout,
      },
    );
    assert.deepEqual(await meta.names(ROOT), ['directory', 'file']);
    // A directory's link to its parent goes with it.
    const to = await meta.make(ROOT, 'to', 'directory');
    await rename(meta, [ROOT, 'directory'], [to.inode, 'directory'], { whiteout, mode: 'no-replace' });
    assert.deepEqual([(await meta.attributes(ROOT)).links, (await meta.attributes(to.inode)).links], [3, 3]);
    // A whiteout is a name like others.
    assert.equal(await codeOf(rename(meta, [ROOT, 'to'], [ROOT, 'file'], { mode: 'no-replace', whiteout })), 'EEXIST');
    await rename(meta, [to.inode, 'directory'], [ROOT, 'gone'], { whiteout });
    await meta.do('unlink', { parent: to.inode, name: 'directory', held: [] });
    assert.deepEqual(await meta.names(to.inode), []);
  },

  async 'makes no whiteout where nothing moves, or names are exchanged'(meta) {
    const whiteout = { uid: 0, gid: 0 };
    const { inode } = await meta.make(ROOT, 'a');
    await meta.do('link', { inode, parent: ROOT, name: 'b' });
    assert.deepEqual(await rename(meta, [ROOT, 'a'], [ROOT, 'b'], { whiteout }), { changed: [] });
    assert.equal(await codeOf(rename(meta, [ROOT, 'a'], [ROOT, 'b'], { mode: 'exchange', whiteout })), 'EINVAL');
    assert.deepEqual(await meta.names(ROOT), ['a', 'b']);
    assert.equal((await meta.ask('statistics', {})).inodes, 2);
  },

  async 'with exchange swaps any two names'(meta) {
    const one = await meta.make(ROOT, 'one', 'directory');
    const two = await meta.make(ROOT, 'two', 'directory');
    const directory = await meta.make(one.inode, 'x', 'directory');
    const file = await meta.make(two.inode, 'y');
    const exchange = { mode: 'exchange' } as const;
    await rename(meta, [one.inode, 'x'], [two.inode, 'y'], exchange);
    assert.equal((await meta.ask('lookup', { parent: one.inode, name: 'x' })).inode, file.inode);
    assert.equal((await meta.ask('lookup', { parent: two.inode, name: 'y' })).inode, directory.inode);
    assert.equal((await meta.attributes(one.inode)).links, 2);
    assert.equal((await meta.attributes(two.inode)).links, 3);
    assert.equal((await meta.ask('lookup', { parent: directory.inode, name: '..' })).inode, two.inode);
    assert.equal((await meta.attributes(file.inode)).changeTimeNs, meta.timeNs);
    await rename(meta, [ROOT, 'one'], [ROOT, 'two'], exchange);
    assert.equal((await meta.ask('lookup', { parent: ROOT, name: 'one' })).inode, two.inode);
    assert.equal(await codeOf(rename(meta, [ROOT, 'one'], [ROOT, 'missing'], exchange)), 'ENOENT');
  },
};
