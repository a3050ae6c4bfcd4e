// Random puts and deletions while syncs fail, processes die and the power goes:
// what was answered as durable, and not deleted since, is there after each start.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Dataserver } from '../../../src/dataserver/dataserver.js';
import { memoryIndexFactory } from '../../../src/dataserver/index/memory-index.js';
import type { BlockKey } from '../../../src/protocol/services/blocks.js';
import { hashBlock } from '../../../src/protocol/values/hash.js';
import { MemoryDisk } from '../../support/memory-disk.js';
import { content, goodBytes, key, openOn, putOne, SeededRandom, turn } from './harness.js';

const SEEDS = 25;
const STEPS = 200;
const BLOCKS = 100;
const MOST_BYTES = 3000;
const SEGMENT_BYTES = 16 * 1024;
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
    await this.#end(() => this.#disk.cutPower('all'));
  }

  #put(): void {
    const put = {
      ...key(this.#random.below(BLOCKS), ++this.#lastVersion),
      data: content(1 + this.#random.below(MOST_BYTES), 7),
    };
    const { data, ...name } = put;
    const { life } = this.#disk;
    this.#call(async (server) => {
      const { state } = await putOne(server.blocks, put);
      if (state === 'stored' && life === this.#disk.life) this.#durable.set(String(name.version), { key: name, data });
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
  for (let seed = 1; seed <= SEEDS; seed++) {
    it(`lose nothing that was durable: seed ${seed}`, () => new Run(seed).run());
  }
});
