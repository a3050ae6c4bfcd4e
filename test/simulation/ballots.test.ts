// The check that finds answers without a quorum, on ballots made up for it.
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'mocha';
import type { BlockService, GetItem } from '../../src/protocol/services/blocks.js';
import { BallotWatch } from './ballots.js';

const BLOCK_BYTES = 4096;
const INODE = 7;
const CONTENT = Buffer.alloc(2 * BLOCK_BYTES, 1);

describe('the check of ballots behind a read', () => {
  let nowUs: number;
  let watch: BallotWatch;

  beforeEach(() => {
    nowUs = 0;
    watch = new BallotWatch(2, BLOCK_BYTES, () => nowUs);
  });

  /** The server answers a get of a block with a hash; nothing but `get` of it is ever called. */
  async function answer(server: number, index: number, version: number, hash: bigint): Promise<void> {
    const result = { state: 'present' as const, hash, length: BLOCK_BYTES };
    const blocks = { get: async () => ({ results: [result] }) } as unknown as BlockService;
    const item: GetItem = { inode: INODE, index, version, offset: 0, length: BLOCK_BYTES, data: false };
    await watch.over(server, blocks).get({ items: [item] });
  }

  it('is content with a quorum of servers for each block', async () => {
    const read = watch.readStarts(INODE);
    for (const index of [0, 1]) for (const server of [1, 2]) await answer(server, index, 5, 99n);
    assert.equal(watch.problemOf(read, 0, CONTENT), null);
  });

  it('names the block that too few servers spoke for', async () => {
    const read = watch.readStarts(INODE);
    await answer(1, 0, 5, 99n);
    await answer(2, 0, 5, 99n);
    await answer(1, 1, 5, 99n);
    assert.match(watch.problemOf(read, 0, CONTENT) ?? '', /block 1 of inode 7 .* 1 servers/);
    assert.equal(watch.problemOf(read, 0, CONTENT.subarray(0, BLOCK_BYTES)), null);
  });

  it('counts a server once, and only those with the same version and content', async () => {
    const read = watch.readStarts(INODE);
    await answer(1, 0, 5, 99n);
    await answer(1, 0, 5, 99n);
    await answer(2, 0, 5, 98n);
    await answer(3, 0, 6, 99n);
    assert.notEqual(watch.problemOf(read, 0, CONTENT.subarray(0, BLOCK_BYTES)), null);
  });

  it('does not count what was answered before the read began', async () => {
    watch.readStarts(INODE);
    await answer(1, 0, 5, 99n);
    nowUs = 10;
    const read = watch.readStarts(INODE);
    await answer(2, 0, 5, 99n);
    assert.notEqual(watch.problemOf(read, 1, CONTENT.subarray(1, BLOCK_BYTES)), null);
  });

  it('counts what was answered a second before for what may have been read ahead, and nothing older', async () => {
    await answer(1, 0, 5, 99n);
    nowUs = 1_000_000;
    const read = watch.readStarts(INODE);
    await answer(2, 0, 5, 99n);
    assert.equal(watch.problemOf(read, 0, CONTENT.subarray(0, BLOCK_BYTES)), null);
    watch.readEnds(read);
    nowUs++;
    const later = watch.readStarts(INODE);
    assert.notEqual(watch.problemOf(later, 0, CONTENT.subarray(0, BLOCK_BYTES)), null);
  });

  it('asks nobody about zeros', () => {
    const read = watch.readStarts(INODE);
    assert.equal(watch.problemOf(read, 0, new Uint8Array(BLOCK_BYTES)), null);
  });

  it('finds the blocks of an answer that begins and ends within them', async () => {
    const read = watch.readStarts(INODE);
    for (const server of [1, 2]) await answer(server, 1, 5, 99n);
    assert.equal(watch.problemOf(read, BLOCK_BYTES + 10, CONTENT.subarray(0, 20)), null);
    assert.match(watch.problemOf(read, BLOCK_BYTES - 10, CONTENT.subarray(0, 20)) ?? '', /block 0 /);
  });
});
