// Small files that are read before they are asked for: when, and what is given out.
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'mocha';
import { NextFiles } from '../../../src/mediator/files/next-files.js';
import type { BlockMap } from '../../../src/mediator/metadata/block-map.js';
import { BallotBox, type Wanted } from '../../../src/mediator/voting/ballot-box.js';
import type { ReadResult } from '../../../src/mediator/voting/read-session.js';
import type { Reader } from '../../../src/mediator/voting/reader.js';
import type { BlockReference } from '../../../src/protocol/services/metadata.js';
import { makeFile, testRuntime } from '../../support/fake-cluster.js';
import { ManualClock } from '../../support/manual-clock.js';
import { BLOCK, calls, openCluster, text, write } from './fixture.js';

const READS_BEFORE = 3;
const FIRST_FILES = 8;
const MOST_FILES = 64;
const LAST_INODE = 1000;

function block(inode: number, index = 0, length = 10): BlockReference {
  return { index, version: 10 * inode + index, hash: BigInt(inode), length };
}

describe('reading the next files ahead', () => {
  let clock: ManualClock;
  let next: NextFiles;
  /** First inodes and numbers of files of each vote. */
  let votes: [first: number, files: number][];
  let queries: number;
  let reader: { quorum: number; hasQuorum: boolean; released: number; answers: Promise<void> | undefined };
  /** Lengths of the blocks of each file that is no file of one block of 10 bytes. */
  let blocksOf: Map<number, BlockReference[]>;

  beforeEach(() => {
    clock = new ManualClock();
    votes = [];
    queries = 0;
    blocksOf = new Map();
    reader = { quorum: 2, hasQuorum: true, released: 0, answers: undefined };
    const blockMap = {
      async loadSmall(after: number, limit: number) {
        queries++;
        const inodes = Array.from({ length: Math.min(limit, LAST_INODE - after) }, (_, at) => after + 1 + at);
        const files = inodes.map((inode) => ({ inode, blocks: blocksOf.get(inode) ?? [block(inode)] }));
        return { files: files.filter(({ blocks }) => blocks.length > 0), last: inodes.at(-1) ?? after };
      },
    };
    const read = async (wanted: Wanted[]): Promise<ReadResult> => {
      votes.push([wanted[0]?.inode ?? 0, new Set(wanted.map(({ inode }) => inode)).size]);
      const { hasQuorum, answers } = reader;
      await answers;
      const outcomes = wanted.map((each) => ({
        data: hasQuorum ? Buffer.alloc(each.length, each.inode) : null,
        box: new BallotBox(each),
      }));
      return { outcomes, release: () => reader.released++ };
    };
    next = new NextFiles({
      blockMap: blockMap as unknown as BlockMap,
      reader: Object.assign(reader, { read }) as unknown as Reader,
      runtime: { ...testRuntime([]), clock },
    });
  });

  /** As the mediator reads a file: whether it had been read ahead. */
  async function readFile(inode: number, entries: (BlockReference | null)[] = [block(inode)]): Promise<boolean> {
    const ahead = await next.take(inode, entries);
    if (ahead === undefined) next.missed(inode);
    else assert.ok(ahead.outcomes.every(({ data }) => data?.every((byte) => byte === inode % 256)));
    await settle();
    return ahead !== undefined;
  }

  /** Lets all go on that waits for no clock. */
  function settle(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  async function readFirst(): Promise<void> {
    for (let inode = 1; inode <= READS_BEFORE; inode++) assert.equal(await readFile(inode), false);
    assert.deepEqual(votes, [[READS_BEFORE + 1, FIRST_FILES]]);
  }

  it('begins after three reads in order, with twice as many files each time', async () => {
    await readFirst();
    for (let inode = READS_BEFORE + 1; inode <= 400; inode++) assert.equal(await readFile(inode), true, `${inode}`);
    assert.deepEqual(
      votes.slice(0, 5).map(([, files]) => files),
      [8, 16, 32, MOST_FILES, MOST_FILES],
    );
    assert.equal(reader.released, votes.length, 'the memory of the answers is given back');
  });

  it('goes over gaps, and follows several readers of the same files', async () => {
    for (const inode of [1, 8, 20]) assert.equal(await readFile(inode), false);
    for (let inode = 21; inode <= 300; inode += 7) {
      assert.equal(await readFile(inode), true, `${inode}`);
      assert.equal(await readFile(inode + 3), true, `${inode + 3}`);
    }
  });

  it('does not begin for reads in another order, or too far from each other', async () => {
    for (const inode of [500, 400, 300, 200, 100, 90, 80, 117, 134]) await readFile(inode);
    assert.deepEqual(votes, []);
  });

  it('gives a file out once', async () => {
    await readFirst();
    assert.equal(await readFile(5), true);
    assert.equal(await readFile(5), false);
  });

  it('gives out only what the block map names', async () => {
    blocksOf.set(7, [block(7, 0), block(7, 2)]);
    blocksOf.set(8, [block(8, 0), block(8, 2)]);
    await readFirst();
    assert.equal(await readFile(4, [{ ...block(4), version: 99 }]), false);
    assert.equal(await readFile(5, [{ ...block(5), hash: 99n }]), false);
    assert.equal(await readFile(6, [block(6), block(6, 1)]), false);
    assert.equal(await readFile(7, [block(7), null, block(7, 2)]), true, 'with a hole');
    assert.equal(await readFile(8, [block(8), block(8, 2), null]), true);
    assert.equal(await readFile(9, [null]), false);
  });

  it('gives out nothing after a second, and keeps it no longer than until it reads ahead again', async () => {
    await readFirst();
    await clock.advance(1000);
    assert.equal(await readFile(4), true);
    await clock.advance(1);
    assert.equal(await readFile(5), false);
    assert.equal(next.size, 6);
    await readFile(20);
    assert.equal(next.size, 2 * FIRST_FILES);
  });

  it('gives out nothing that was voted on with a smaller quorum than the present one', async () => {
    await readFirst();
    reader.quorum = 3;
    assert.equal(await readFile(4), false);
    reader.quorum = 2;
    assert.equal(await readFile(5), true);
  });

  it('gives out nothing without a quorum', async () => {
    reader.hasQuorum = false;
    await readFirst();
    for (let inode = 4; inode < 20; inode++) assert.equal(await readFile(inode), false);
  });

  it('waits a fifth of a second for a vote under way, and no longer', async () => {
    let answer = (): void => {};
    reader.answers = new Promise((resolve) => {
      answer = resolve;
    });
    await readFirst();
    const first = next.take(4, [block(4)]);
    await clock.advance(200);
    assert.equal(await first, undefined);
    const second = next.take(5, [block(5)]);
    answer();
    assert.notEqual(await second, undefined);
    await settle();
    assert.equal(clock.pending, 0);
  });

  it('reads less ahead when little of it is read, and then nothing', async () => {
    // Every sixteenth file.
    for (let inode = 16; inode < LAST_INODE; inode += 16) await readFile(inode);
    const ahead = votes.reduce((sum, [, files]) => sum + files, 0);
    assert.ok(ahead < LAST_INODE / 4, `${ahead} files`);
  });

  it('reads no more than half a megabyte ahead at once, with what it keeps of each file', async () => {
    for (let inode = 1; inode <= LAST_INODE; inode++) blocksOf.set(inode, [block(inode, 0, 32 * 1024)]);
    for (let inode = 1; inode <= 100; inode++) await readFile(inode, blocksOf.get(inode));
    assert.equal(Math.max(...votes.map(([, files]) => files)), 15);
  });

  it('asks for nothing more at each read when there are no next files', async () => {
    for (let inode = 100; inode <= LAST_INODE; inode++) blocksOf.set(inode, []);
    for (let inode = 90; inode < 100; inode++) await readFile(inode);
    const before = queries;
    for (let round = 0; round < 10; round++) for (let inode = 90; inode < 100; inode++) await readFile(inode);
    assert.ok(queries - before <= 40, `${queries - before} queries for 100 reads`);
  });

  describe('by a mediator', () => {
    it('reads many files with few messages, and the right ones', async () => {
      const { cluster, mediator } = await openCluster({ audit: 'quorum' });
      let messages = 0;
      for (const { blocks } of cluster.replicas) {
        const { get } = blocks;
        Object.assign(blocks, {
          get(...call: Parameters<typeof get>) {
            messages++;
            return get(...call);
          },
        });
      }
      const files = new Map<number, string>();
      for (let at = 0; at < 60; at++) {
        const inode = await makeFile(mediator, `f${at}`);
        files.set(inode, at % 9 === 0 ? 'x'.repeat(BLOCK + at) : `file ${at}`);
        await write(mediator, inode, 0, files.get(inode) ?? '');
      }
      for (const [inode, content] of files) assert.equal(await text(mediator, inode), content);
      assert.ok(messages < 100, `${messages} messages instead of 180`);
      const { counters } = await mediator.admin.status({});
      assert.ok((counters.readsAhead ?? 0) > 30, `${counters.readsAhead} read ahead`);
    });

    it('counts no reads of parts, nor of larger files', async () => {
      const { cluster, mediator } = await openCluster();
      const inodes: number[] = [];
      for (let at = 0; at < 12; at++) inodes.push(await makeFile(mediator, `f${at}`));
      for (const inode of inodes) await write(mediator, inode, 0, Buffer.alloc(3 * BLOCK, 1));
      for (const inode of inodes) await text(mediator, inode, 0, 3 * BLOCK - 1);
      for (const inode of inodes) await text(mediator, inode);
      assert.equal(calls(cluster, 'smallFiles'), 0);
    });

    it('gives out nothing that was written meanwhile, here or by another mediator', async () => {
      const { cluster, mediator } = await openCluster();
      const inodes: number[] = [];
      for (let at = 0; at < 12; at++) {
        inodes.push(await makeFile(mediator, `f${at}`));
        await write(mediator, inodes[at] ?? 0, 0, `file ${at}`);
      }
      for (let at = 0; at < 4; at++) await text(mediator, inodes[at] ?? 0);
      assert.equal(calls(cluster, 'smallFiles'), 1);
      await write(mediator, inodes[5] ?? 0, 0, 'FILE');
      const other = await cluster.mediator({ maintenance: false });
      await write(other, inodes[6] ?? 0, 0, 'FILE');
      await mediator.files.getattr({ inode: inodes[6] ?? 0 });
      assert.equal(await text(mediator, inodes[5] ?? 0), 'FILE 5');
      assert.equal(await text(mediator, inodes[6] ?? 0), 'FILE 6');
      assert.equal(await text(mediator, inodes[7] ?? 0), 'file 7');
    });
  });
});
