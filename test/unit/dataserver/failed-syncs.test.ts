// What was answered as durable, and not deleted since, is there after each start,
// although syncs and reads fail, processes die and the power goes: cases, and
// random runs.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Dataserver } from '../../../src/dataserver/dataserver.js';
import { memoryIndexFactory } from '../../../src/dataserver/index/memory-index.js';
import { ServiceError } from '../../../src/protocol/errors.js';
import type { BlockKey } from '../../../src/protocol/services/blocks.js';
import { hashBlock } from '../../../src/protocol/values/hash.js';
import { MemoryDisk } from '../../support/memory-disk.js';
import { RecordingLog } from '../../support/recording-log.js';
import {
  allDurable,
  content,
  goodBytes,
  key,
  openOn,
  putOne,
  SeededRandom,
  STORE,
  segmentPath,
  turn,
} from './harness.js';
import { type DiskCall, openNoting } from './noting-disk.js';

const SEEDS = 25;
const STEPS = 200;
const BLOCKS = 100;
const MOST_BYTES = 3000;
const SEGMENT_BYTES = 16 * 1024;
const MIB = 2 ** 20;
const FAILURE = Object.assign(new Error('input/output error'), { code: 'EIO' });

class Run {
  readonly #disk = new MemoryDisk();
  readonly #random: SeededRandom;
  /** What was answered as durable. A key is in here until its deletion is asked for. */
  readonly #durable = new Map<string, { key: BlockKey; data: Buffer }>();
  readonly #calls = new Set<Promise<unknown>>();
  #index = memoryIndexFactory();
  #server: Dataserver | undefined;
  #lastVersion = 0;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  async run(): Promise<void> {
    await this.#open();
    for (let step = 0; step < STEPS; step++) {
      const chance = this.#random.fraction();
      if (chance < 0.5) for (let puts = 1 + this.#random.below(8); puts > 0; puts--) this.#put();
      else if (chance < 0.6) this.#delete();
      else if (chance < 0.75) await this.#failSyncs();
      else if (chance < 0.85) this.#disk.failSync = this.#disk.failSync === null ? FAILURE : null;
      else if (chance < 0.95) this.#call((server) => server.blocks.flush({}));
      else await this.#startAnew();
      for (let turns = this.#random.below(15); turns > 0; turns--) await turn();
    }
    await this.#startAnew();
    await this.#end(() => this.#disk.killProcess());
  }

  #put(): void {
    const version = ++this.#lastVersion;
    const data = content(1 + this.#random.below(MOST_BYTES), version);
    const block = key(this.#random.below(BLOCKS), version);
    const { life } = this.#disk;
    this.#call(async (server) => {
      const { state } = await putOne(server.blocks, { ...block, data });
      if (state === 'stored' && life === this.#disk.life) this.#durable.set(String(version), { key: block, data });
    });
  }

  #delete(): void {
    const all = [...this.#durable.values()];
    const chosen = all[this.#random.below(Math.max(1, all.length))];
    if (chosen === undefined) return;
    this.#durable.delete(String(chosen.key.version));
    this.#call((server) => server.blocks.delete({ items: [chosen.key] }));
  }

  async #failSyncs(): Promise<void> {
    this.#disk.failSync = FAILURE;
    for (let turns = 1 + this.#random.below(3); turns > 0; turns--) await turn();
    this.#disk.failSync = null;
  }

  async #startAnew(): Promise<void> {
    await this.#end(() => {
      this.#disk.failSync = null;
      const chance = this.#random.fraction();
      if (chance < 0.5) this.#disk.killProcess();
      else this.#disk.cutPower(chance < 0.75 ? 'all' : { keeps: () => this.#random.fraction() < 0.5 });
    });
    if (this.#random.fraction() < 0.4) this.#index = memoryIndexFactory();
    await this.#open();
  }

  async #open(): Promise<void> {
    const server = await openOn(this.#disk, { index: this.#index, segmentBytes: SEGMENT_BYTES });
    this.#server = server;
    for (const { key: block, data } of this.#durable.values()) {
      assert.deepEqual(await goodBytes(server.blocks, block, hashBlock(data)), data, `version ${block.version}`);
    }
  }

  /** Waits for what is under way, which fails. */
  async #end(die: () => void): Promise<void> {
    const server = this.#server;
    die();
    await server?.close().catch(() => undefined);
    await Promise.all(this.#calls);
  }

  /** Its failure is that of a disk that fails or is gone. */
  #call(action: (server: Dataserver) => Promise<unknown>): void {
    if (this.#server === undefined) return;
    const call = action(this.#server)
      .catch(() => undefined)
      .finally(() => this.#calls.delete(call));
    this.#calls.add(call);
  }
}

describe('syncs that fail in the midst of everything', () => {
  it('cuts off nothing of a segment while a later one, to which it may have been moved, is not durable', async () => {
    const disk = new MemoryDisk();
    const options = { segmentBytes: 4 * MIB };
    const before = await openOn(disk, options);
    const items = Array.from({ length: 600 }, (_, index) => ({ ...key(index), data: content(5000, index) }));
    await before.blocks.put({ items, durable: true });
    await before.close();
    // The next process knows of no sync of that segment. Moving all of it takes several stretches of work.
    const server = await openOn(disk, options);
    disk.failSync = FAILURE;
    await assert.rejects(putOne(server.blocks, { ...key(1000), data: content(10, 1) }), isFailure);
    while (((await disk.readFile(segmentPath(2)))?.length ?? 0) === 0) await turn();
    await assert.rejects(putOne(server.blocks, { ...key(1001), data: content(10, 2) }), isFailure);
    disk.failSync = null;
    while (String(await disk.readFile(`${STORE}/unsafe.json`)).includes('[1,')) await turn();
    disk.cutPower('all');
    await server.close().catch(() => undefined);
    const again = await openOn(disk, options);
    for (const { data, ...each } of items) {
      assert.deepEqual(await goodBytes(again.blocks, each, hashBlock(data)), data, `block ${each.index}`);
    }
    await again.close();
  });

  it('takes in at a start what its disk does not read for a moment', async () => {
    const disk = new MemoryDisk();
    let failures = 0;
    const note = ({ kind, isNow, path }: DiskCall) => {
      if (kind === 'read' && isNow && path === segmentPath(1) && failures-- > 0) throw FAILURE;
    };
    const open = () => openNoting(disk, note, MIB);
    const before = await open();
    const items = Array.from({ length: 5 }, (_, index) => ({ ...key(index), data: content(2000, index) }));
    await before.blocks.put({ items, durable: true });
    await before.close();
    failures = 3;
    const server = await open();
    assert.ok(failures <= 0, 'the disk did not read');
    for (const { data, ...each } of items) {
      assert.deepEqual(await goodBytes(server.blocks, each, hashBlock(data)), data);
    }
    await server.close();
  });

  for (const [what, failedReads, lost] of [
    ['loses nothing behind a failed sync that the disk does not read for a moment', 7, 0],
    ['gives up what the disk never reads behind a failed sync, or nothing would ever be durable', 1_000_000, 5],
  ] as const) {
    it(what, async () => {
      const disk = new MemoryDisk();
      const log = new RecordingLog();
      let failures = 0;
      const note = ({ kind, isNow, path }: DiskCall) => {
        if (kind === 'read' && isNow && path === segmentPath(1) && failures-- > 0) throw FAILURE;
      };
      const open = () => openNoting(disk, note, MIB, log);
      const before = await open();
      const items = Array.from({ length: 5 }, (_, index) => ({ ...key(index), data: content(2000, index) }));
      await before.blocks.put({ items, durable: true });
      await before.close();
      // The next process knows of no sync of that segment.
      const server = await open();
      disk.failSync = FAILURE;
      // Nor can there be a segment to move it to: attempts that fail for this don't count.
      disk.failDirectorySync = FAILURE;
      await assert.rejects(putOne(server.blocks, { ...key(1000), data: content(10, 1) }), isFailure);
      for (let turns = 0; turns < 200; turns++) await turn();
      failures = failedReads;
      disk.failSync = null;
      disk.failDirectorySync = null;
      await allDurable(server.blocks);
      assert.ok(failures < failedReads - 5, 'the disk did not read');
      assert.equal(log.named('segment.version_lost').filter(({ index }) => index !== 1000).length, lost);
      const { entries } = await server.blocks.list({ limit: 100 });
      assert.equal(entries.filter(({ index }) => index !== 1000).length, items.length - lost);
      await server.close();
    });
  }

  for (let seed = 1; seed <= SEEDS; seed++) {
    it(`lose nothing that was durable: seed ${seed}`, () => new Run(seed).run());
  }
});

function isFailure(error: unknown): boolean {
  return error instanceof ServiceError && error.code === 'FAILED';
}
