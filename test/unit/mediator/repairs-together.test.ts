// Repairs of several versions at once: which of them share a message, and what is said of each.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Replica } from '../../../src/mediator/replicas/replica.js';
import { Repairer } from '../../../src/mediator/upkeep/repair.js';
import type { Wanted } from '../../../src/mediator/voting/ballot-box.js';
import type { Reader } from '../../../src/mediator/voting/reader.js';
import { ServiceError } from '../../../src/protocol/errors.js';
import type { BlockKey } from '../../../src/protocol/services/blocks.js';
import type { MetadataService } from '../../../src/protocol/services/metadata.js';
import { type LoggedEvent, testRuntime } from '../../support/fake-cluster.js';

/** Of the blocks 0, 1, … of a file. The limit of a message lies behind the first, the third, the fourth and the sixth. */
const LENGTHS = [4096, 500_000, 20_000, 1_048_576, 0, 300_000, 300_000, 10];
const BLOCKS = LENGTHS.map((length, index) => ({ inode: 1, index, version: 7, length, hash: BigInt(index) }));

interface Put {
  items: { index: number }[];
}

/** A data server that stores what it is given, unless `refuse` throws. */
function fakeServer(name: string, refuse: (indexes: number[]) => void = () => {}) {
  const puts: number[][] = [];
  const deleted: number[] = [];
  const blocks = {
    put: async ({ items }: Put) => {
      const indexes = items.map(({ index }) => index);
      puts.push(indexes);
      refuse(indexes);
      return {
        results: indexes.map((index) => ({
          state: 'stored',
          hash: index === 5 && name === 'odd' ? 0n : BigInt(index),
        })),
      };
    },
    delete: async ({ items }: { items: BlockKey[] }) => {
      deleted.push(...items.map(({ index }) => index));
      return {};
    },
  };
  const replica = {
    name,
    reachable: true,
    store: null as { trouble: string } | null,
    blocks,
    call: (action: () => unknown) => action(),
  };
  return { puts, deleted, store: replica, replica: replica as unknown as Replica };
}

const SUPERSEDED = new Set([0, 1, 7]);

/**
 * Block 2 has no quorum.
 * @param agrees has voted for block 0
 * @param named what the metaserver says when all is done
 */
function repairer(
  agrees: Replica,
  events: LoggedEvent[] = [],
  named = (blocks: BlockKey[]) => blocks.map(({ index }) => !SUPERSEDED.has(index)),
) {
  const runtime = testRuntime(events);
  let reads = 0;
  const reader = {
    read: async (wanted: Wanted[]) => {
      // The first to be asked for are the last to come.
      for (let turns = 20 - 4 * reads++; turns > 0; turns--) await new Promise(setImmediate);
      return {
        outcomes: wanted.map(({ reference: { index, length } }) => ({
          data: index === 2 ? null : new Uint8Array(length),
          box: { ballots: new Map(index === 0 ? [[agrees, { state: 'present', hash: 0n, length }]] : []) },
        })),
      };
    },
  } as unknown as Reader;
  const metadata = {
    query: async ({ request }: { request: { blocks: BlockKey[] } }) => ({
      named: named(request.blocks),
    }),
    sync: async () => ({}),
  } as unknown as MetadataService;
  return new Repairer({ reader: () => reader, metadata, runtime });
}

const namesOf = (replicas: readonly Replica[]) => replicas.map(({ name }) => name).sort();

describe('repairs of several versions', () => {
  it('share messages up to their limit, spare who agreed, and forget what was superseded meanwhile', async () => {
    const [a, b] = [fakeServer('a'), fakeServer('b')];
    const repairs = repairer(a.replica);
    const outcomes = await repairs.repairAll(BLOCKS, [a.replica, b.replica]);
    assert.deepEqual(
      outcomes.map(({ state, holders, repaired }) => [state, namesOf(holders), namesOf(repaired)]),
      [
        ['superseded', ['a', 'b'], ['b']],
        ['superseded', ['a', 'b'], ['a', 'b']],
        ['no-quorum', [], []],
        ...new Array(4).fill(['repaired', ['a', 'b'], ['a', 'b']]),
        ['superseded', ['a', 'b'], ['a', 'b']],
      ],
    );
    assert.deepEqual(a.puts.flat().sort(), [1, 3, 4, 5, 6, 7]);
    assert.deepEqual(b.puts.flat().sort(), [0, 1, 3, 4, 5, 6, 7]);
    assert.ok(b.puts.some((indexes) => indexes.length > 1) && b.puts.length > 3, JSON.stringify(b.puts));
    for (const indexes of b.puts) {
      const bytes = indexes.reduce((sum, index) => sum + (LENGTHS[index] ?? 0), 0);
      assert.ok(indexes.length === 1 || bytes <= 512 * 1024, `${bytes} bytes in one message`);
    }
    // Block 0 was there before, and may be what another repair has put: only garbage collection deletes it.
    assert.deepEqual(
      [a.deleted.sort(), b.deleted.sort()],
      [
        [1, 7],
        [0, 1, 7],
      ],
    );
    assert.equal(repairs.size, 0);
  });

  it('offer alone what a server fails to take together, and say which it does not take', async () => {
    const server = fakeServer('odd', (indexes) => {
      if (indexes.length > 1 || indexes[0] === 6) throw new ServiceError('FAILED', 'not these');
    });
    const events: LoggedEvent[] = [];
    const repairs = repairer(fakeServer('other').replica, events);
    const outcomes = await repairs.repairAll(BLOCKS, [server.replica]);
    assert.deepEqual(
      outcomes.map(({ repaired }) => repaired.length),
      [1, 1, 0, 1, 1, 0, 0, 1],
      'block 5 is stored with another hash, block 6 is refused, block 2 has no quorum',
    );
    assert.deepEqual(
      events
        .filter(({ event }) => event === 'repair.failed')
        .map(({ index }) => index)
        .sort(),
      [5, 6],
    );
    assert.ok(repairs.isRefusing(server.replica));
    assert.ok(!repairs.takesNothing(server.replica));
  });

  for (const [why, code, trouble] of [
    ['it is replaced', 'FENCED', null],
    ['its disk fails', 'FAILED', 'failing'],
  ] as const) {
    it(`offer nothing once more when ${why}`, async () => {
      const server = fakeServer('a', () => {
        throw new ServiceError(code, why);
      });
      if (trouble !== null) server.store.store = { trouble };
      const repairs = repairer(fakeServer('other').replica);
      const outcomes = await repairs.repairAll(BLOCKS, [server.replica]);
      assert.equal(outcomes.filter(({ holders }) => holders.length > 0).length, 0);
      assert.equal(server.puts.flat().length, 7, 'each block is offered once');
      assert.equal(repairs.takesNothing(server.replica), trouble !== null);
    });
  }

  it('fail, and delete nothing, when the metaserver leaves out an answer', async () => {
    const server = fakeServer('a');
    const repairs = repairer(fakeServer('other').replica, [], () => [true]);
    await assert.rejects(repairs.repairAll(BLOCKS, [server.replica]), { code: 'MALFORMED' });
    assert.equal(server.puts.flat().length, 7);
    assert.deepEqual([server.deleted, repairs.size], [[], 0]);
  });
});
