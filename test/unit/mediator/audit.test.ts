// When replicas that a read did not need are asked; what becomes of a ballot that dissents is tested with the reads.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Counters } from '../../../src/mediator/counters.js';
import type { Replica } from '../../../src/mediator/replicas/replica.js';
import { Auditor } from '../../../src/mediator/voting/audit.js';
import type { Wanted } from '../../../src/mediator/voting/ballot-box.js';
import type { GetItem } from '../../../src/protocol/services/blocks.js';
import { testRuntime } from '../../support/fake-cluster.js';
import { ManualClock } from '../../support/manual-clock.js';

const BATCH_BLOCKS = 16;
const PATIENCE_BLOCKS = 8192;

/** An auditor with one replica, which answers at once. */
function openAuditor() {
  const clock = new ManualClock();
  const counters = new Counters();
  const asked = { requests: 0, duringBatch: 0 };
  const batches: { atMs: number; blocks: number }[] = [];
  const items: GetItem[] = [];
  const get = async (request: { items: GetItem[] }) => {
    batches.push({ atMs: clock.monotonicMs(), blocks: request.items.length });
    items.push(...request.items);
    asked.requests += asked.duringBatch;
    asked.duringBatch = 0;
    return { results: request.items.map(() => ({ state: 'absent' })) };
  };
  const replica = replicaWith(get);
  const auditor = new Auditor(
    () => {},
    () => asked.requests,
    counters,
    { ...testRuntime([]), clock },
  );
  let nextBlock = 0;
  const oneBlock = { index: 0, version: 1, length: 128 * 1024, hash: 1n };
  return {
    clock,
    batches,
    /** All that was asked for. */
    items,
    asked,
    counters,
    auditor,
    /** As a read does that did not need the replica, nor others. */
    read(blocks: number, others: readonly Replica[] = []) {
      const wanted = Array.from({ length: blocks }, (): Wanted => {
        const reference = { index: nextBlock++, version: 1, length: 10, hash: 1n };
        return { inode: 7, reference, offset: 0, length: 10 };
      });
      auditor.readerStarts();
      auditor.add(wanted, [replica, ...others]);
      auditor.readerEnds();
    },
    /** The same for a range of one block. */
    readRange(offset: number, length: number) {
      auditor.add([{ inode: 7, reference: oneBlock, offset, length }], [replica]);
    },
  };
}

function replicaWith(get: (request: { items: GetItem[] }) => Promise<object>): Replica {
  const call = (ask: () => Promise<unknown>) => ask();
  return { reachable: true, state: 'rebuilding', blocks: { get }, call } as unknown as Replica;
}

/** Advances by `totalMs`, with `action` every 4 of them. */
async function every4Ms(clock: ManualClock, totalMs: number, action: () => void): Promise<void> {
  for (let ms = 0; ms < totalMs; ms += 4) {
    action();
    await clock.advance(4);
  }
}

describe('the auditor', () => {
  it('asks when nobody has asked for anything for 10 ms, then all that waits', async () => {
    const { clock, batches, auditor, read } = openAuditor();
    read(2 * BATCH_BLOCKS + 1);
    await clock.advance(9);
    assert.deepEqual(batches, []);
    await clock.advance(1);
    assert.deepEqual(
      batches.map(({ blocks }) => blocks),
      [BATCH_BLOCKS, BATCH_BLOCKS, 1],
    );
    auditor.close();
  });

  it('asks once for a block of which several ranges were read, for what contains them', async () => {
    const { clock, items, auditor, readRange } = openAuditor();
    readRange(8192, 4096);
    readRange(0, 4096);
    readRange(8192, 8192);
    await clock.advance(10);
    assert.deepEqual(
      items.map(({ offset, length }) => [offset, length]),
      [[0, 16_384]],
    );
    auditor.close();
  });

  it('asks for one batch a second while reads go on', async () => {
    const { clock, batches, auditor, read } = openAuditor();
    await every4Ms(clock, 3600, () => read(1));
    assert.equal(batches.length, 3);
    assert.ok(batches.every(({ blocks }) => blocks === BATCH_BLOCKS));
    auditor.close();
  });

  it('asks for one batch a second while other requests come, and for the rest when they pause', async () => {
    const { clock, batches, asked, auditor, read } = openAuditor();
    read(5 * BATCH_BLOCKS);
    await every4Ms(clock, 2600, () => asked.requests++);
    assert.equal(batches.length, 2);
    await clock.advance(20);
    assert.equal(batches.length, 5);
    auditor.close();
  });

  it('waits for no pause when too much is waiting', async () => {
    const { batches, auditor, read } = openAuditor();
    read(PATIENCE_BLOCKS);
    assert.equal(batches.length, 0);
    read(1);
    assert.equal(batches.length, 1);
    auditor.close();
  });

  it('lets no more wait than that, however much is read', async () => {
    const { clock, batches, auditor, read } = openAuditor();
    let blocks = 0;
    await every4Ms(clock, 3000, () => {
      read(2 * BATCH_BLOCKS);
      blocks += 2 * BATCH_BLOCKS;
    });
    const answered = batches.reduce((sum, batch) => sum + batch.blocks, 0);
    assert.ok(blocks - answered <= PATIENCE_BLOCKS + 2 * BATCH_BLOCKS, `${blocks - answered} wait`);
    auditor.close();
  });

  it('gives up those that have waited longest when a replica can not keep up', async () => {
    const { counters, auditor, read } = openAuditor();
    // No answer comes before the test's next turn.
    for (let n = 0; n < 3; n++) read(PATIENCE_BLOCKS);
    assert.equal(counters.snapshot().unauditedBallots, PATIENCE_BLOCKS - BATCH_BLOCKS);
    auditor.close();
  });

  it('goes on with a replica while another one hangs', async () => {
    const { clock, batches, asked, auditor, read } = openAuditor();
    const hanging = replicaWith(() => new Promise(() => {}));
    read(4 * BATCH_BLOCKS, [hanging]);
    asked.duringBatch = 1;
    await clock.advance(200);
    assert.equal(batches.length, 4);
    auditor.close();
  });

  it('asks for nothing once it is closed', async () => {
    const { clock, batches, auditor, read } = openAuditor();
    read(1);
    auditor.close();
    read(1);
    await clock.advance(5000);
    assert.equal(batches.length, 0);
    assert.equal(clock.pending, 0);
  });
});
