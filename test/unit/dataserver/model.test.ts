// Random puts, patches, deletes, compactions, crashes and reopenings against a
// map that remembers everything.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import type { Dataserver } from '../../../src/dataserver/dataserver.js';
import { memoryIndexFactory } from '../../../src/dataserver/index/memory-index.js';
import type { BlockKey } from '../../../src/protocol/services/blocks.js';
import { hashBlock, PAGE_BYTES } from '../../../src/protocol/values/hash.js';
import { MemoryDisk } from '../../support/memory-disk.js';
import { allDurable, content, getOne, key, openOn, patched, putOne } from './harness.js';

const SEGMENT_BYTES = 32 * 1024;
/** The larger appends go past the cache. */
const DIRECT_APPEND_BYTES = 3 * PAGE_BYTES;
const MAXIMUM_BYTES = 6 * PAGE_BYTES;

type Step =
  | { kind: 'put'; index: number; size: number; seed: number; durable: boolean; replace: boolean }
  | { kind: 'patch'; index: number; size: number; at: number; length: number; seed: number; durable: boolean }
  | { kind: 'delete'; picks: number[] }
  | { kind: 'compact' }
  | { kind: 'reopen'; how: 'close' | 'kill' | 'kill, index lost' | 'power cut' }
  | { kind: 'failing sync' };

const number = (most: number) => fc.integer({ min: 0, max: most });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      index: number(3),
      size: number(MAXIMUM_BYTES),
      seed: number(1000),
      durable: fc.boolean(),
      replace: fc.boolean(),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('patch' as const),
      index: number(3),
      size: number(MAXIMUM_BYTES),
      at: number(MAXIMUM_BYTES),
      length: number(2 * PAGE_BYTES),
      seed: number(1000),
      durable: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('delete' as const), picks: fc.array(number(100), { maxLength: 3 }) }),
  },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'compact' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'failing sync' }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('reopen' as const),
      how: fc.constantFrom('close' as const, 'kill' as const, 'kill, index lost' as const, 'power cut' as const),
    }),
  },
);

class Run {
  readonly #disk = new MemoryDisk();
  readonly #model = new Map<string, { key: BlockKey; data: Buffer }>();
  #index = memoryIndexFactory();
  #version = 0;
  #server: Dataserver | undefined;

  async all(steps: readonly Step[]): Promise<void> {
    await this.#open();
    for (const next of steps) await this.#step(next);
    await this.#check();
    await this.#server?.close();
  }

  async #step(next: Step): Promise<void> {
    const { blocks } = this.#running;
    switch (next.kind) {
      case 'put': {
        const newest = this.#newest(next.index);
        const block = next.replace && newest !== undefined ? newest.key : key(next.index, ++this.#version);
        const data = content(next.size, next.seed);
        const result = await putOne(blocks, { ...block, data }, { durable: next.durable, replace: next.replace });
        assert.deepEqual(result, { state: 'stored', hash: hashBlock(data) });
        this.#set(block, data);
        return;
      }
      case 'patch': {
        const base = this.#newest(next.index);
        if (base === undefined) return;
        const at = Math.min(next.at, next.size);
        const writes = [{ offset: at, data: content(Math.min(next.length, next.size - at), next.seed) }];
        const block = key(next.index, ++this.#version);
        const data = patched(base.data, next.size, writes);
        const item = { ...block, base: base.key.version, baseHash: hashBlock(base.data), length: next.size, writes };
        assert.deepEqual(await putOne(blocks, item, { durable: next.durable }), {
          state: 'stored',
          hash: hashBlock(data),
        });
        this.#set(block, data);
        return;
      }
      case 'delete': {
        const all = [...this.#model.values()];
        const victims = new Set(next.picks.flatMap((pick) => all[pick % Math.max(1, all.length)] ?? []));
        const { deleted } = await blocks.delete({ items: [...victims].map((victim) => victim.key) });
        assert.equal(deleted, victims.size);
        for (const victim of victims) this.#model.delete(name(victim.key));
        return;
      }
      case 'compact':
        await this.#running.compacting();
        return this.#check();
      case 'failing sync': {
        this.#disk.failSync = Object.assign(new Error('the disk is sick'), { code: 'EIO' });
        const data = content(100, 1);
        const block = key(77, ++this.#version);
        await assert.rejects(putOne(blocks, { ...block, data }));
        this.#disk.failSync = null;
        await allDurable(blocks);
        await this.#running.compacting();
        await blocks.delete({ items: [block] });
        return this.#check();
      }
      case 'reopen':
        return this.#reopen(next.how);
    }
  }

  async #reopen(how: Extract<Step, { kind: 'reopen' }>['how']): Promise<void> {
    const old = this.#running;
    switch (how) {
      case 'close':
        await old.close();
        break;
      case 'kill':
      case 'kill, index lost':
        this.#disk.killProcess();
        await old.close().catch(() => undefined);
        if (how !== 'kill') this.#index = memoryIndexFactory();
        break;
      case 'power cut':
        await old.blocks.flush({});
        this.#disk.cutPower('all');
        await old.close().catch(() => undefined);
        this.#index = memoryIndexFactory();
        break;
    }
    await this.#open();
    await this.#check();
  }

  async #open(): Promise<void> {
    this.#server = await openOn(this.#disk, {
      index: this.#index,
      segmentBytes: SEGMENT_BYTES,
      directAppendBytes: DIRECT_APPEND_BYTES,
    });
  }

  get #running(): Dataserver {
    assert.ok(this.#server !== undefined);
    return this.#server;
  }

  async #check(): Promise<void> {
    const { blocks } = this.#running;
    const listed = (await blocks.list({ limit: 4000 })).entries.map(({ modifiedNs: _, ...entry }) => entry);
    const expected = [...this.#model.values()].map((entry) => ({
      ...entry.key,
      length: entry.data.length,
      hash: hashBlock(entry.data),
    }));
    expected.sort((a, b) => a.index - b.index || a.version - b.version);
    assert.deepEqual(listed, expected);
    for (const { key: block, data } of this.#model.values()) {
      const result = await getOne(blocks, block);
      assert.ok(result.state === 'present');
      assert.equal(result.hash, hashBlock(data));
      assert.deepEqual(Buffer.from(result.data ?? []), data);
    }
    const status = await blocks.status({});
    assert.equal(status.blocks, this.#model.size);
    assert.equal(
      status.bytes,
      expected.reduce((sum, { length }) => sum + length, 0),
    );
  }

  #newest(index: number): { key: BlockKey; data: Buffer } | undefined {
    return [...this.#model.values()].findLast((entry) => entry.key.index === index);
  }

  #set(block: BlockKey, data: Buffer): void {
    this.#model.delete(name(block));
    this.#model.set(name(block), { key: block, data });
  }
}

describe('a data server under random use', () => {
  it('agrees with a map that remembers everything', async function () {
    this.timeout(120_000);
    const steps = fc.array(step, { minLength: 10, maxLength: 120, size: 'max' });
    await fc.assert(
      fc.asyncProperty(steps, (all) => new Run().all(all)),
      // Shrinking so many steps takes minutes; the seed repeats the run.
      { numRuns: 150, endOnFailure: true, ...seeded() },
    );
  });
});

/** NMRFS_SEED repeats a run. */
function seeded(): { seed?: number } {
  const { NMRFS_SEED: seed } = process.env;
  return seed === undefined ? {} : { seed: Number(seed) };
}

function name({ inode, index, version }: BlockKey): string {
  return `${inode}/${index}/${version}`;
}
