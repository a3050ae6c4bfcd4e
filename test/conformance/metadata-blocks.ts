// Block maps: the switch, garbage, and who lacks what.
import assert from 'node:assert/strict';
import { MAXIMUM_FILE_BYTES } from '../../src/protocol/services/files.js';
import { BLOCK_BYTES, change, codeOf, ROOT, type TestMetaserver } from '../unit/metaserver/harness.js';

type Cases = Record<string, (meta: TestMetaserver) => Promise<void>>;

const switching: Cases = {
  async 'switches blocks, size and times in one step'(meta) {
    const file = await meta.make(ROOT, 'file');
    const result = await meta.commit(file.inode, [change(0, 0, 11), change(2, 0, 12, 100)], {
      modifyTimeNs: file.changeTimeNs + 77n,
    });
    assert.deepEqual(result, {
      state: 'committed',
      attributes: {
        ...file,
        sizeBytes: 2 * BLOCK_BYTES + 100,
        allocatedBytes: BLOCK_BYTES + 100,
        modifyTimeNs: file.changeTimeNs + 77n,
        changeTimeNs: file.changeTimeNs + 77n,
        revision: file.revision + 1,
      },
    });
    const { blocks, attributes } = await meta.ask('blocks', { inode: file.inode, first: 0, count: 10 });
    assert.deepEqual(blocks, [
      { index: 0, version: 11, hash: 33n, length: BLOCK_BYTES },
      { index: 2, version: 12, hash: 36n, length: 100 },
    ]);
    assert.equal(attributes.revision, file.revision + 1);
    const { clusterId, start: _start, history, ...totals } = await meta.ask('statistics', {});
    assert.match(clusterId, /^[0-9a-f]{32}$/);
    assert.match(history, /^[0-9a-f]{16}$/);
    assert.deepEqual(totals, { inodes: 2, blocks: 2, bytes: BLOCK_BYTES + 100, garbage: 0 });
  },

  async 'sets both times of a file to the time of the write, but never the change time back'(meta) {
    const { inode, changeTimeNs: made } = await meta.make(ROOT, 'file');
    const written = async (modifyTimeNs: bigint | null, base: number, version: number) => {
      const result = await meta.commit(inode, [change(0, base, version)], { modifyTimeNs });
      assert.equal(result.state, 'committed');
      const { modifyTimeNs: modified, changeTimeNs: changed } = await meta.attributes(inode);
      return [modified, changed];
    };
    assert.deepEqual(await written(made + 50n, 0, 11), [made + 50n, made + 50n]);
    assert.deepEqual(await written(made + 20n, 11, 12), [made + 20n, made + 50n], 'written before');
    assert.deepEqual(await written(null, 12, 13), [made + 20n, made + 50n], 'written before the times that there are');
    // The clock of whoever wrote was ahead: each change shows all the same.
    await meta.do('setattr', { inode, changes: { mode: 0o600 }, caller: { uid: 0, gid: 0 } });
    assert.equal((await meta.attributes(inode)).changeTimeNs, made + 51n);
    assert.deepEqual(await written(made + 30n, 13, 14), [made + 30n, made + 51n]);
  },

  async 'answers the part of a block map that is asked for'(meta) {
    const { inode } = await meta.make(ROOT, 'file');
    await meta.fill(inode, 10, 100);
    const { blocks } = await meta.ask('blocks', { inode, first: 3, count: 4 });
    assert.deepEqual(
      blocks.map(({ index }) => index),
      [3, 4, 5, 6],
    );
    assert.deepEqual((await meta.ask('blocks', { inode, first: 10, count: 4 })).blocks, []);
    assert.deepEqual((await meta.ask('blocks', { inode: ROOT, first: 0, count: 4 })).blocks, []);
  },

  async 'answers wide ranges of sparse files'(meta) {
    const { inode } = await meta.make(ROOT, 'file');
    const far = MAXIMUM_FILE_BYTES / BLOCK_BYTES - 1;
    await meta.commit(inode, [change(3, 0, 1), change(far, 0, 2)]);
    const { blocks } = await meta.ask('blocks', { inode, first: 0, count: Number.MAX_SAFE_INTEGER });
    assert.deepEqual(
      blocks.map(({ index }) => index),
      [3, far],
    );
  },

  async 'puts no version that is retired, whoever asks'(meta) {
    const { inode } = await meta.make(ROOT, 'file');
    const { first } = await meta.do('allocate', { count: 10 });
    await meta.commit(inode, [change(0, 0, first + 3)]);
    assert.deepEqual(await meta.do('retireVersions', { below: first + 5 }), { below: first + 5 });
    assert.deepEqual(await meta.do('retireVersions', { below: first }), { below: first + 5 });
    const late = await meta.commit(inode, [change(1, 0, first + 6), change(2, 0, first + 4)]);
    assert.deepEqual(late, { state: 'retired', below: first + 5 });
    assert.deepEqual(await meta.versions(inode), [[0, first + 3]]);
    await meta.commit(inode, [change(0, first + 3, 0), change(1, 0, first + 5)]);
    assert.deepEqual(await meta.versions(inode), [[1, first + 5]]);
    // Numbers that were not handed out can't be orphans.
    assert.deepEqual(await meta.do('retireVersions', { below: first + 999 }), { below: first + 10 });
  },

  async 'changes nothing on a conflict, and says what is there'(meta) {
    const { inode } = await meta.make(ROOT, 'file');
    await meta.fill(inode, 3, 100);
    const before = await meta.attributes(inode);
    const changes = [change(2, 102, 201), change(1, 100, 202), change(7, 0, 203)];
    assert.deepEqual(await meta.commit(inode, changes, { truncateTo: 0 }), {
      state: 'conflict',
      blocks: [
        { index: 1, version: 101, hash: 303n, length: BLOCK_BYTES },
        { index: 2, version: 102, hash: 306n, length: BLOCK_BYTES },
      ],
    });
    assert.deepEqual(await meta.attributes(inode), before);
    assert.deepEqual(await meta.garbage(), []);
    assert.equal((await meta.commit(inode, [change(9, 5, 204)])).state, 'conflict');
    assert.equal((await meta.commit(inode, [change(0, 0, 205)])).state, 'conflict');
  },

  async 'makes garbage of each version that is superseded or dropped'(meta) {
    const { inode } = await meta.make(ROOT, 'file');
    await meta.fill(inode, 3, 100);
    await meta.commit(inode, [change(0, 100, 200), change(1, 101, 0)]);
    assert.deepEqual(await meta.versions(inode), [
      [0, 200],
      [2, 102],
    ]);
    assert.deepEqual(await meta.garbage(), [
      [inode, 0, 100],
      [inode, 1, 101],
    ]);
    const { entries } = await meta.ask('garbage', { after: 0, limit: 1 });
    const sequence = entries[0]?.sequence ?? 0;
    const rest = await meta.ask('garbage', { after: sequence, limit: 10 });
    assert.deepEqual(
      rest.entries.map(({ version }) => version),
      [101],
    );
    await meta.do('collected', { sequences: [sequence, 12345] });
    assert.deepEqual(await meta.garbage(), [[inode, 1, 101]]);
    assert.equal((await meta.ask('statistics', {})).garbage, 1);
  },

  async 'cuts, then changes, then grows'(meta) {
    const { inode } = await meta.make(ROOT, 'file');
    await meta.fill(inode, 5, 100);
    const cut = await meta.commit(inode, [change(1, 101, 201, 10)], {
      truncateTo: BLOCK_BYTES + 10,
      minimumSizeBytes: 0,
    });
    assert.equal(cut.state === 'committed' ? cut.attributes.sizeBytes : -1, BLOCK_BYTES + 10);
    assert.deepEqual(await meta.versions(inode), [
      [0, 100],
      [1, 201],
    ]);
    // A cut in the middle of a block that is not replaced leaves it: what lies beyond the size is not read.
    await meta.commit(inode, [], { truncateTo: 10, minimumSizeBytes: 0 });
    assert.deepEqual(await meta.versions(inode), [[0, 100]]);
    const rewritten = await meta.commit(inode, [change(0, 100, 300)], { truncateTo: 0, minimumSizeBytes: 99_999 });
    assert.equal(rewritten.state === 'committed' ? rewritten.attributes.sizeBytes : -1, 99_999);
    assert.deepEqual(await meta.versions(inode), [[0, 300]]);
    const garbage = (await meta.garbage()).map(([, , version]) => version).sort();
    assert.deepEqual(garbage, [100, 101, 102, 103, 104, 201]);
    await meta.commit(inode, [], { truncateTo: 2 ** 40, minimumSizeBytes: 0 });
    assert.equal((await meta.attributes(inode)).sizeBytes, 2 ** 40);
  },

  async 'makes holes of whatever blocks are there'(meta) {
    const { inode } = await meta.make(ROOT, 'file');
    await meta.fill(inode, 6, 100);
    const punched = await meta.commit(inode, [change(1, 101, 201, 10), change(4, 104, 0)], {
      hole: { first: 2, end: 4 },
      minimumSizeBytes: 0,
    });
    assert.deepEqual(await meta.versions(inode), [
      [0, 100],
      [1, 201],
      [5, 105],
    ]);
    const { sizeBytes, allocatedBytes } = punched.state === 'committed' ? punched.attributes : {};
    assert.deepEqual([sizeBytes, allocatedBytes], [6 * BLOCK_BYTES, 2 * BLOCK_BYTES + 10]);
    assert.deepEqual((await meta.garbage()).map(([, , version]) => version).sort(), [101, 102, 103, 104]);
    // A change within the hole comes after it; a hole that goes on for ever ends with the blocks.
    await meta.commit(inode, [change(5, 105, 205)], { hole: { first: 1, end: Number.MAX_SAFE_INTEGER } });
    assert.deepEqual(await meta.versions(inode), [
      [0, 100],
      [5, 205],
    ]);
    await meta.commit(inode, [], { hole: { first: 9, end: 3 } });
    assert.equal((await meta.commit(inode, [change(0, 99, 300)], { hole: { first: 0, end: 9 } })).state, 'conflict');
    assert.equal((await meta.versions(inode)).length, 2);
  },

  async 'answers the first blocks of a range'(meta) {
    const { inode } = await meta.make(ROOT, 'file');
    await meta.fill(inode, 5, 100);
    const request = { inode, first: 2, count: Number.MAX_SAFE_INTEGER - 2 };
    const { blocks } = await meta.ask('blocks', { ...request, most: 2 });
    assert.deepEqual(
      blocks.map(({ index }) => index),
      [2, 3],
    );
  },

  async 'says of each version whether it is named'(meta) {
    const [one, held, large] = await Promise.all(['one', 'held', 'large'].map((name) => meta.make(ROOT, name)));
    assert.ok(one !== undefined && held !== undefined && large !== undefined);
    const ask = async (...blocks: [inode: number, index: number, version: number][]) => {
      const asked = blocks.map(([inode, index, version]) => ({ inode, index, version }));
      return (await meta.ask('named', { blocks: asked })).named;
    };
    await meta.fill(one.inode, 3, 100);
    await meta.fill(held.inode, 1, 200);
    await meta.fill(large.inode, 1500, 1000);
    await meta.commit(one.inode, [change(1, 101, 111)]);
    const { inode } = one;
    assert.deepEqual(
      await ask([inode, 2, 102], [inode, 1, 101], [held.inode, 0, 200], [inode, 1, 111], [inode, 3, 103]),
      [true, false, true, true, false],
    );
    assert.deepEqual(await ask([999, 0, 100], [ROOT, 0, 100], [large.inode, 1499, 2499]), [false, false, true]);
    assert.deepEqual(await ask(), []);
    await meta.do('unlink', { parent: ROOT, name: 'held', held: [held.inode] });
    await meta.do('unlink', { parent: ROOT, name: 'large', held: [] });
    assert.deepEqual(await meta.ask('orphans', { limit: 10 }), {
      inodes: [held.inode, large.inode].sort((a, b) => a - b),
    });
    assert.deepEqual(
      await ask([held.inode, 0, 200], [large.inode, 1499, 2499]),
      [true, false],
      'one is held, one is gone',
    );
  },

  async 'refuses what is no file, is gone, or is too large'(meta) {
    const file = await meta.make(ROOT, 'file');
    const link = await meta.make(ROOT, 'link', 'symlink');
    assert.equal(await codeOf(meta.commit(ROOT, [])), 'EISDIR');
    assert.equal(await codeOf(meta.commit(link.inode, [])), 'EINVAL');
    assert.equal(await codeOf(meta.commit(999, [])), 'ENOENT');
    const last = MAXIMUM_FILE_BYTES / BLOCK_BYTES - 1;
    assert.equal(await codeOf(meta.commit(file.inode, [change(last, 0, 1)])), 'none');
    assert.equal(await codeOf(meta.commit(file.inode, [change(last + 1, 0, 2)], { minimumSizeBytes: 0 })), 'EFBIG');
    assert.equal(await codeOf(meta.commit(file.inode, [], { truncateTo: MAXIMUM_FILE_BYTES + 1 })), 'EFBIG');
    assert.equal(await codeOf(meta.commit(file.inode, [], { minimumSizeBytes: MAXIMUM_FILE_BYTES + 1 })), 'EFBIG');
    assert.equal(await codeOf(meta.commit(file.inode, [change(0, 0, 3, BLOCK_BYTES + 1)])), 'EINVAL');
    assert.equal(await codeOf(meta.commit(file.inode, [change(0, 0, 3), change(0, 0, 4)])), 'EINVAL');
  },

  async 'walks over all blocks of all files'(meta) {
    const made = [(await meta.make(ROOT, 'one')).inode, (await meta.make(ROOT, 'two')).inode];
    const [one = 0, two = 0] = made.sort((a, b) => a - b);
    await meta.fill(one, 3, 100);
    await meta.fill(two, 2, 200);
    const seen: number[] = [];
    let after: { inode: number; index: number } | undefined;
    for (let done = false; !done; ) {
      const page = await meta.ask('allBlocks', { ...(after === undefined ? {} : { after }), limit: 2 });
      for (const { inode, index, version } of page.blocks) {
        seen.push(version);
        after = { inode, index };
      }
      done = page.done;
    }
    assert.deepEqual(seen, [100, 101, 102, 200, 201]);
  },

  async 'finds the small files among the next inodes, with their maps'(meta) {
    // A mediator that answers early has numbers of its own only from its second file on.
    const before = await meta.make(ROOT, 'before');
    const names = ['small', 'empty', 'large', 'sparse', 'last'];
    const made: number[] = [];
    for (const name of names) made.push((await meta.make(ROOT, name)).inode);
    const [small = 0, empty = 0, large = 0, sparse = 0, last = 0] = made.sort((a, b) => a - b);
    const start = Math.max(...[before.inode, ROOT].filter((inode) => inode < small));
    await meta.commit(small, [change(0, 0, 100, 10)]);
    await meta.fill(large, 3, 200);
    await meta.commit(sparse, [change(1, 0, 300, 20)]);
    await meta.commit(last, [change(0, 0, 400, 30)]);
    const next = async (after: number, limit: number) => {
      const { files, last } = await meta.ask('smallFiles', { after, limit, mostBytes: 2 * BLOCK_BYTES });
      return [files.map(({ attributes, blocks }) => [attributes.inode, blocks.map((each) => each.version)]), last];
    };
    assert.deepEqual(await next(start, 1), [[[small, [100]]], small]);
    assert.deepEqual(await next(start, 2), [[[small, [100]]], empty], 'inodes are counted, whatever they are');
    assert.deepEqual(await next(small, 4), [
      [
        [sparse, [300]],
        [last, [400]],
      ],
      last,
    ]);
    const final = Math.max(last, before.inode);
    assert.deepEqual(await next(final, 10), [[], final]);
    const ask = async (mostBytes: number) =>
      (await meta.ask('smallFiles', { after: start, limit: 1, mostBytes })).files;
    assert.deepEqual(await ask(10), [await meta.ask('blocks', { inode: small, first: 0, count: 1 })]);
    assert.deepEqual(await ask(9), []);
    // A file without names is nobody's next.
    const { attributes } = await meta.do('makeUnnamed', {
      parent: ROOT,
      mode: 0o600,
      caller: { uid: 0, gid: 0 },
      blockSizeBytes: BLOCK_BYTES,
    });
    await meta.fill(attributes.inode, 1, 500);
    assert.deepEqual(await next(attributes.inode - 1, 1), [[], attributes.inode]);
  },

  async 'gives out each version number once'(meta) {
    assert.deepEqual(await meta.do('allocate', { count: 10 }), { first: 1 });
    assert.deepEqual(await meta.do('allocate', { count: 1 }), { first: 11 });
    assert.deepEqual(await meta.do('allocate', { count: 5 }), { first: 12 });
  },
};

const missing: Cases = {
  async 'keeps note of who lacks which version'(meta) {
    const { inode } = await meta.make(ROOT, 'file');
    await meta.commit(inode, [change(0, 0, 10), change(1, 0, 11)], { missing: ['data1', 'data10'] });
    assert.deepEqual(await meta.missed('data1'), [
      [inode, 0, 10],
      [inode, 1, 11],
    ]);
    assert.equal((await meta.missed('data10')).length, 2);
    assert.deepEqual(await meta.missed('data'), []);
    const { blocks } = await meta.ask('missed', { server: 'data1', after: { inode, index: 0 }, limit: 1 });
    assert.deepEqual(blocks, [{ inode, index: 1, version: 11, hash: 33n, length: BLOCK_BYTES }]);
  },

  async 'forgets it when a newer version is everywhere, or lacks elsewhere'(meta) {
    const { inode } = await meta.make(ROOT, 'file');
    await meta.commit(inode, [change(0, 0, 10), change(1, 0, 11)], { missing: ['data1'] });
    await meta.commit(inode, [change(0, 10, 20)], { missing: ['data2'] });
    assert.deepEqual(await meta.missed('data1'), [[inode, 1, 11]]);
    assert.deepEqual(await meta.missed('data2'), [[inode, 0, 20]]);
    await meta.commit(inode, [change(0, 20, 30)]);
    assert.deepEqual(await meta.missed('data2'), []);
  },

  async 'forgets it when the block goes'(meta) {
    const { inode } = await meta.make(ROOT, 'file');
    const changes = [0, 1, 2, 3].map((index) => change(index, 0, 10 + index));
    await meta.commit(inode, changes, { missing: ['data1'] });
    await meta.commit(inode, [change(0, 10, 0)]);
    const { revision } = await meta.attributes(inode);
    await meta.do('trim', { inode, revision, truncateTo: 3 * BLOCK_BYTES, modifyTimeNs: 5n });
    assert.equal((await meta.missed('data1')).length, 2);
    await meta.commit(inode, [], { truncateTo: 2 * BLOCK_BYTES, minimumSizeBytes: 0 });
    assert.deepEqual(await meta.missed('data1'), [[inode, 1, 11]]);
    await meta.do('unlink', { parent: ROOT, name: 'file', held: [] });
    assert.deepEqual(await meta.missed('data1'), []);
  },

  async 'forgets what a server has caught up on, but no newer version'(meta) {
    const { inode } = await meta.make(ROOT, 'file');
    await meta.commit(inode, [change(0, 0, 10), change(1, 0, 11)], { missing: ['data1'] });
    await meta.commit(inode, [change(0, 10, 20)], { missing: ['data1'] });
    const blocks = [
      { inode, index: 0, version: 10 },
      { inode, index: 1, version: 11 },
      { inode: 999, index: 0, version: 1 },
    ];
    await meta.do('caughtUp', { server: 'data1', blocks });
    assert.deepEqual(await meta.missed('data1'), [[inode, 0, 20]]);
  },

  async 'drops a bounded part of what a server lacked, where it is much'(meta) {
    const { inode } = await meta.make(ROOT, 'file');
    await meta.do('registerServer', { name: 'data1', storeId: 'first', state: 'complete' });
    const changes = Array.from({ length: 1500 }, (_, n) => change(n, 0, 1 + n));
    await meta.commit(inode, changes, { missing: ['data1', 'data2'] });
    await meta.do('registerServer', { name: 'data1', storeId: 'other', state: 'rebuilding' });
    const left = await meta.missed('data1');
    assert.deepEqual([left.length, left[0]], [1500 - 1024, [inode, 1024, 1025]]);
    const blocks = left.map(([, index, version]) => ({ inode, index, version }));
    await meta.do('caughtUp', { server: 'data1', blocks });
    assert.deepEqual(await meta.missed('data1'), []);
    assert.equal((await meta.missed('data2')).length, 1500);
  },

  async 'drops what a server lacked when it comes back with another store'(meta) {
    const { inode } = await meta.make(ROOT, 'file');
    await meta.do('registerServer', { name: 'data1', storeId: 'first', state: 'complete' });
    await meta.do('registerServer', { name: 'data2', storeId: 'second', state: 'complete' });
    await meta.commit(inode, [change(0, 0, 10)], { missing: ['data1', 'data2'] });
    await meta.do('registerServer', { name: 'data1', storeId: 'first', state: 'complete' });
    assert.equal((await meta.missed('data1')).length, 1);
    await meta.do('registerServer', { name: 'data1', storeId: 'other', state: 'rebuilding' });
    assert.deepEqual(await meta.missed('data1'), []);
    assert.equal((await meta.missed('data2')).length, 1);
    assert.deepEqual(await meta.ask('servers', {}), {
      servers: [
        { name: 'data1', storeId: 'other', state: 'rebuilding' },
        { name: 'data2', storeId: 'second', state: 'complete' },
      ],
    });
  },
};

export const blockCases: Cases = { ...switching, ...missing };
