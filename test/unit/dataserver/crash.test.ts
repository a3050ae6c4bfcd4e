// The power goes, or the process dies, before every single change that a run
// makes to its disk; what comes back must hold all that was acknowledged, and
// serve nothing damaged as good.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Dataserver } from '../../../src/dataserver/dataserver.js';
import type { IndexFactory } from '../../../src/dataserver/index/index-store.js';
import { memoryIndexFactory } from '../../../src/dataserver/index/memory-index.js';
import type { BlockKey } from '../../../src/protocol/services/blocks.js';
import { hashBlock, PAGE_BYTES } from '../../../src/protocol/values/hash.js';
import { MemoryDisk } from '../../support/memory-disk.js';
import { content, goodBytes, key, openOn, patched, putOne, SeededRandom } from './harness.js';

const SEGMENT_BYTES = 48 * 1024;
/** Whole puts go past the cache, patches don't. */
const SIZES = { segmentBytes: SEGMENT_BYTES, directAppendBytes: 2 * PAGE_BYTES };
const BLOCKS = 4;
const ROUNDS = 14;

interface Expectation {
  key: BlockKey;
  hash: bigint;
  /** acknowledged: must be there; free: may be there or not. */
  state: 'acknowledged' | 'free';
}

/** Every content that any version was ever given, by what is known of it. */
class Expectations {
  readonly byName = new Map<string, Expectation>();

  set(block: BlockKey, hash: bigint, state: Expectation['state']): void {
    this.byName.set(`${block.index}/${block.version}`, { key: block, hash, state });
  }

  async check(server: Dataserver, label: string): Promise<void> {
    for (const { key: block, hash, state } of this.byName.values()) {
      const bytes = await goodBytes(server.blocks, block, hash);
      if (state === 'acknowledged') assert.ok(bytes !== undefined, `${label}: ${block.index}/${block.version} is lost`);
    }
    const { entries } = await server.blocks.list({ limit: 1000 });
    for (const { index, version, hash } of entries) {
      const bytes = await goodBytes(server.blocks, key(index, version), hash);
      assert.ok(bytes !== undefined, `${label}: ${index}/${version} is listed and can't be read`);
    }
  }
}

/** Blocks that are written over and over by patches and whole puts, old versions deleted, so that segments fill and die. */
async function workload(server: Dataserver, expectations: Expectations): Promise<void> {
  const { blocks } = server;
  const current: Buffer[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    await Promise.all(
      Array.from({ length: BLOCKS }, async (_, index) => {
        const base = current[index];
        const block = key(index, round);
        const writes = [{ offset: (round * 997) % 9000, data: content(1000 + index, round * 10 + index) }];
        const isPatch = base !== undefined && (round + index) % 3 !== 0;
        const next = isPatch ? patched(base, base.length, writes) : content(3 * PAGE_BYTES + index * 100, round);
        const item = isPatch
          ? { ...block, base: round - 1, baseHash: hashBlock(base), length: base.length, writes }
          : { ...block, data: next };
        expectations.set(block, hashBlock(next), 'free');
        const result = await putOne(blocks, item);
        assert.deepEqual(result, { state: 'stored', hash: hashBlock(next) });
        expectations.set(block, hashBlock(next), 'acknowledged');
        current[index] = next;
        if (round === 1) return;
        const old = expectations.byName.get(`${index}/${round - 1}`);
        if (old !== undefined) old.state = 'free';
        await blocks.delete({ items: [key(index, round - 1)] });
      }),
    );
    if (round % 5 === 0) await blocks.flush({});
    // Brings the index up to here; what follows is only in the log for a while.
    if (round % 3 === 0) await blocks.list({ limit: 1 });
  }
  await server.compacting();
}

interface Way {
  name: string;
  tears: boolean;
  end(disk: MemoryDisk, random: SeededRandom): void;
  keepsIndex: boolean;
}

const WAYS: Way[] = [
  {
    name: 'the power goes and takes all that was not synced',
    tears: false,
    end: (disk) => disk.cutPower('all'),
    keepsIndex: false,
  },
  {
    name: 'the power goes and leaves some sectors of what was not synced',
    tears: true,
    end: (disk, random) => disk.cutPower({ keeps: () => random.fraction() < 0.6 }),
    keepsIndex: false,
  },
  {
    name: 'the process dies in the middle of a write',
    tears: true,
    end: (disk) => disk.killProcess(),
    keepsIndex: true,
  },
  {
    name: 'the process dies and its index is thrown away',
    tears: true,
    end: (disk) => disk.killProcess(),
    keepsIndex: false,
  },
];

describe('a data server after a crash', () => {
  for (const way of WAYS) {
    it(`holds what it acknowledged when ${way.name}`, async function () {
      this.timeout(120_000);
      const whole = new MemoryDisk();
      const server = await openOn(whole, SIZES);
      await workload(server, new Expectations());
      await server.close();
      assert.ok(whole.changes > 100, 'the run is long enough to be worth it');
      assert.ok(whole.directWrites.length > 10, 'and has direct appends');
      for (let changes = 0; changes < whole.changes; changes++) await crashAt(changes, way);
    });
  }

  for (let changes = 0; changes <= 6; changes++) {
    it(`keeps what is put into a segment whose maker was killed ${changes} changes of the disk into its making`, async () => {
      const disk = new MemoryDisk();
      const index = memoryIndexFactory();
      const options = { segmentBytes: 8192 };
      const killed = await openOn(disk, { ...options, index });
      await putOne(killed.blocks, { ...key(0), data: content(9000, 1) });
      disk.changesLeft = changes;
      // With the last change, the process ends.
      await putOne(killed.blocks, { ...key(1), data: content(100, 1) }).catch(() => {});
      disk.killProcess();
      await killed.close().catch(() => {});
      const next = await openOn(disk, { ...options, index });
      const data = content(100, 2);
      assert.equal((await putOne(next.blocks, { ...key(2), data })).state, 'stored');
      disk.cutPower('all');
      await next.close().catch(() => {});
      const last = await openOn(disk, options);
      assert.deepEqual(await goodBytes(last.blocks, key(2), hashBlock(data)), data);
      await last.close();
    });
  }
});

async function crashAt(changes: number, way: Way): Promise<void> {
  const disk = new MemoryDisk();
  const random = new SeededRandom(changes + 1);
  const expectations = new Expectations();
  const rows = memoryIndexFactory();
  disk.changesLeft = changes;
  disk.tearsLastWrite = way.tears;
  let first: Dataserver | undefined;
  try {
    first = await openOn(disk, { index: untilItStops(disk, rows), ...SIZES });
    await workload(first, expectations);
  } catch {
    // The power went while somebody waited for an answer: that nothing came is all there is to it.
  }
  // Background work of the old life finds its disk gone and stops.
  const stopped = first?.close().catch(() => undefined);
  way.end(disk, random);
  await stopped;
  const label = `change ${changes}`;
  for (const life of ['second', 'third']) {
    const server = await openOn(disk, {
      index: way.keepsIndex ? rows : memoryIndexFactory(),
      ...SIZES,
    });
    await expectations.check(server, `${label}, ${life} life`);
    // It is as good as new: takes puts, and compacts.
    const data = content(20_000, changes);
    const block = key(99, life === 'second' ? 1 : 2);
    assert.equal((await putOne(server.blocks, { ...block, data })).state, 'stored', label);
    expectations.set(block, hashBlock(data), 'acknowledged');
    await server.compacting();
    await expectations.check(server, `${label}, ${life} life, compacted`);
    await server.close();
  }
}

/** An index that the process takes with it when its disk is stopped. */
function untilItStops(disk: MemoryDisk, factory: IndexFactory): IndexFactory {
  return async (directory, runtime) => {
    const index = await factory(directory, runtime);
    const { write } = index;
    index.write = (changes) => {
      if (disk.changesLeft <= 0) throw new Error('the process is dead');
      write.call(index, changes);
    };
    return index;
  };
}
