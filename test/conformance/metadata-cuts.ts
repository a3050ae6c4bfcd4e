// Cuts and holes of large files: refused by one commit, and made step by step.
import assert from 'node:assert/strict';
import { MAXIMUM_FILE_BYTES } from '../../src/protocol/services/files.js';
import { BLOCK_BYTES, change, codeOf, ROOT, type TestMetaserver } from '../unit/metaserver/harness.js';

export const cutCases: Record<string, (meta: TestMetaserver) => Promise<void>> = {
  async 'cuts and punches up to so many blocks in one commit, and changes nothing where there are more'(meta) {
    const { inode } = await meta.make(ROOT, 'file');
    await meta.fill(inode, 1027, 1);
    const before = await meta.attributes(inode);
    const cut = { truncateTo: 2 * BLOCK_BYTES + 1, minimumSizeBytes: 0 };
    const punch = { hole: { first: 2, end: 1027 }, minimumSizeBytes: 0 };
    assert.equal((await meta.commit(inode, [], cut)).state, 'committed');
    await meta.commit(
      inode,
      Array.from({ length: 1025 }, (_, n) => change(3 + n, 0, 2001 + n)),
    );
    const filled = await meta.attributes(inode);
    assert.equal(filled.allocatedBytes, before.allocatedBytes + BLOCK_BYTES);
    for (const large of [cut, punch, { ...cut, hole: { first: 0, end: 3 } }]) {
      assert.deepEqual(await meta.commit(inode, [], large), { state: 'large', attributes: filled });
    }
    // The bases are compared first.
    assert.equal((await meta.commit(inode, [change(3, 1, 9000)], cut)).state, 'conflict');
    assert.equal((await meta.garbage()).length, 1024);
    assert.deepEqual(await meta.attributes(inode), filled);
    const punched = await meta.commit(inode, [], { hole: { first: 4, end: 1028 }, minimumSizeBytes: 0 });
    assert.equal(punched.state, 'committed');
    assert.equal((await meta.versions(inode)).length, 4);
  },

  async 'shortens a large file bit by bit, from its end'(meta) {
    const { inode } = await meta.make(ROOT, 'file');
    await meta.commit(
      inode,
      Array.from({ length: 2500 }, (_, n) => change(n, 0, 1 + n, n === 2499 ? 7 : BLOCK_BYTES)),
    );
    const steps: object[] = [];
    for (let done = false; !done; ) {
      const { revision } = await meta.attributes(inode);
      const request = { inode, revision, truncateTo: 2 * BLOCK_BYTES + 9, modifyTimeNs: 77_000n };
      const step = await meta.do('trim', request);
      ({ done } = step);
      assert.deepEqual(step.attributes, await meta.attributes(inode));
      const { sizeBytes, modifyTimeNs, revision: next } = step.attributes;
      assert.deepEqual([modifyTimeNs, next], [77_000n, revision + 1]);
      const versions = await meta.versions(inode);
      assert.deepEqual(versions.at(-1), [sizeBytes / BLOCK_BYTES - 1, sizeBytes / BLOCK_BYTES]);
      steps.push([done, sizeBytes / BLOCK_BYTES, versions.length, (await meta.garbage()).length]);
    }
    assert.deepEqual(steps, [
      [false, 1476, 1476, 1024],
      [false, 452, 452, 2048],
      [true, 3, 3, 2497],
    ]);
    const { blocks, bytes } = await meta.ask('statistics', {});
    assert.deepEqual([blocks, bytes], [3, 3 * BLOCK_BYTES]);
    const cut = await meta.commit(inode, [], { truncateTo: 2 * BLOCK_BYTES + 9, minimumSizeBytes: 0 });
    assert.equal(cut.state === 'committed' ? cut.attributes.sizeBytes : 0, 2 * BLOCK_BYTES + 9);
  },

  async 'shortens sparse files in few steps, never below the target'(meta) {
    const { inode } = await meta.make(ROOT, 'file');
    const far = MAXIMUM_FILE_BYTES / BLOCK_BYTES - 1;
    const spread = [1, 2, 3, ...Array.from({ length: 3000 }, (_, n) => 10_000 + 1000 * n), 2 ** 35, far];
    await meta.commit(
      inode,
      spread.map((index, n) => change(index, 0, 1 + n)),
    );
    let { attributes, done } = { attributes: await meta.attributes(inode), done: false };
    let steps = 0;
    for (; !done; steps++) {
      const { sizeBytes } = attributes;
      const request = { inode, revision: attributes.revision, truncateTo: 2 * BLOCK_BYTES, modifyTimeNs: null };
      ({ attributes, done } = await meta.do('trim', request));
      assert.ok(attributes.sizeBytes < sizeBytes);
      const last = (await meta.versions(inode)).at(-1)?.[0] ?? 0;
      assert.ok(attributes.sizeBytes >= (last + 1) * BLOCK_BYTES, 'what is left is whole');
    }
    assert.ok(steps < 50, `${steps} steps`);
    assert.equal(attributes.sizeBytes, 2 * BLOCK_BYTES);
    assert.deepEqual(await meta.versions(inode), [[1, 1]]);
    assert.equal((await meta.garbage()).length, spread.length - 1);
  },

  async 'drops what lies behind the size too, and leaves a size that is below the target'(meta) {
    const { inode } = await meta.make(ROOT, 'file');
    await meta.commit(
      inode,
      Array.from({ length: 1100 }, (_, n) => change(n, 0, 1 + n)),
      { minimumSizeBytes: 50 * BLOCK_BYTES },
    );
    const trimTo = async (blocks: number) => {
      const { revision } = await meta.attributes(inode);
      return meta.do('trim', { inode, revision, truncateTo: blocks * BLOCK_BYTES, modifyTimeNs: 5n });
    };
    const first = await trimTo(60);
    assert.deepEqual([first.done, first.attributes.sizeBytes], [false, 50 * BLOCK_BYTES]);
    const second = await trimTo(60);
    assert.deepEqual([second.done, second.attributes.sizeBytes], [true, 50 * BLOCK_BYTES]);
    assert.deepEqual(await trimTo(60), second, 'nothing is left to do');
    assert.equal((await meta.versions(inode)).length, 60);
    const third = await trimTo(0);
    assert.deepEqual([third.done, third.attributes.sizeBytes], [true, 0]);
  },

  async 'makes a large hole bit by bit'(meta) {
    const { inode } = await meta.make(ROOT, 'file');
    await meta.fill(inode, 1500, 1);
    const steps: [boolean, number, number][] = [];
    for (let done = false; !done; ) {
      const { revision } = await meta.attributes(inode);
      const hole = { first: 10, end: 1490 };
      const step = await meta.do('trim', { inode, revision, truncateTo: null, hole, modifyTimeNs: 5n });
      ({ done } = step);
      steps.push([done, step.attributes.sizeBytes / BLOCK_BYTES, (await meta.versions(inode)).length]);
    }
    assert.deepEqual(steps, [
      [false, 1500, 476],
      [true, 1500, 20],
    ]);
    const { revision } = await meta.attributes(inode);
    const both = { truncateTo: 3 * BLOCK_BYTES, hole: { first: 0, end: 2 }, modifyTimeNs: 5n };
    assert.equal((await meta.do('trim', { inode, revision, ...both })).done, true);
    assert.deepEqual(await meta.versions(inode), [[2, 3]]);
  },

  async 'drops nothing of a file that has changed since'(meta) {
    const { inode } = await meta.make(ROOT, 'file');
    await meta.fill(inode, 3, 1);
    const { revision } = await meta.attributes(inode);
    const trim = () => meta.do('trim', { inode, revision, truncateTo: 0, modifyTimeNs: 5n });
    await meta.commit(inode, [change(2, 3, 10)]);
    const attributes = await meta.attributes(inode);
    assert.deepEqual(await trim(), { attributes, done: false });
    assert.equal((await meta.versions(inode)).length, 3);
    const link = await meta.make(ROOT, 'link', 'symlink');
    const other = (of: number) => meta.do('trim', { inode: of, revision: 1, truncateTo: 0, modifyTimeNs: 5n });
    assert.equal(await codeOf(other(ROOT)), 'EISDIR');
    assert.equal(await codeOf(other(link.inode)), 'EINVAL');
    assert.equal(await codeOf(other(999)), 'ENOENT');
  },
};
