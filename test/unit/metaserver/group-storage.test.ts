// The log in front of a storage: what was answered survives whatever fails below. What every storage must do is tried in
// the engine suite.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Storage } from '../../../src/metaserver/engine/storage.js';
import { encodeBatch } from '../../../src/metaserver/storage/batch.js';
import { groupEngine } from '../../../src/metaserver/storage/group-engine.js';
import { MemoryStore, memoryEngine } from '../../../src/metaserver/storage/memory-engine.js';
import type { Key } from '../../../src/namespace/view.js';
import { saltedChecksum } from '../../../src/protocol/values/hash.js';
import { type Loss, MemoryDisk } from '../../support/memory-disk.js';
import { seeded, TestRuntime } from './harness.js';

const LOG_FILE_BYTES = 20_000;
const TAKE_OVER_INTERVAL_MS = 1000;

class World {
  readonly disk = new MemoryDisk();
  readonly store = new MemoryStore();
  runtime = new TestRuntime();
  /** Of the storage below the log. */
  failure: Error | null = null;
  hangs = false;
  writesBelow = 0;

  /** Goes on from start to start: two uses of a file have different salts. */
  readonly #fraction: () => number;

  /** @param seed of what its log is salted with */
  constructor(seed = 1) {
    this.#fraction = seeded(seed);
  }

  open(): Promise<Storage> {
    this.runtime = new TestRuntime();
    const commitDelay = async () => {
      this.writesBelow++;
      if (this.failure !== null) throw this.failure;
      if (this.hangs) await new Promise<never>(() => {});
      // It needs the same power.
      this.disk.change();
    };
    const engine = groupEngine(memoryEngine(this.store, { commitDelay }), LOG_FILE_BYTES);
    const bytes = (count: number) => Uint8Array.from({ length: count }, () => Math.floor(this.#fraction() * 256));
    const random = { fraction: this.#fraction, bytes };
    return engine('/store', { ...this.runtime, random, disk: this.disk.mount() });
  }

  cutPower(loss: Loss): void {
    this.store.crash();
    this.disk.cutPower(loss);
  }

  async advance(byMs: number): Promise<void> {
    this.runtime.advance(byMs);
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

type Rows = Record<Key, string | null>;

function write(storage: Storage, rows: Rows): Promise<void> {
  return storage.write(
    new Map(Object.entries(rows).map(([key, text]) => [key, text === null ? null : Buffer.from(text)])),
  );
}

function contents(storage: Pick<Storage, 'scan'>): Rows {
  const rows = storage.scan('', '\u00ff\u00ff', Number.POSITIVE_INFINITY);
  return Object.fromEntries(rows.map(({ key, value }) => [key, Buffer.from(value).toString()]));
}

/** Writes of one to three rows of twenty; some remove, some don't fit half of a file of the log, some not even all of it. */
function randomWrites(seed: number, count: number): Rows[] {
  const random = seeded(seed);
  const below = (bound: number) => Math.floor(random() * bound);
  return Array.from({ length: count }, (_, number) => {
    const rows: Rows = {};
    for (let row = below(3); row >= 0; row--) {
      const bytes = random() < 0.1 ? 1 + below(2 * LOG_FILE_BYTES) : 1 + below(200);
      rows[`k${below(20)}`] = random() < 0.3 ? null : String.fromCharCode(97 + (number % 26)).repeat(bytes);
    }
    return rows;
  });
}

/** What there is after each number of writes. */
function statesOf(writes: readonly Rows[]): Rows[] {
  const states: Rows[] = [{}];
  for (const rows of writes) {
    const merged = { ...states.at(-1), ...rows };
    const present = Object.entries(merged).filter(([, text]) => text !== null);
    states.push(Object.fromEntries(present.sort(([one], [other]) => (one < other ? -1 : 1))));
  }
  return states;
}

describe('a storage behind a log', () => {
  for (const torn of [false, true]) {
    it(`has what it answered, and whole writes only, whenever the power goes${torn ? ' in the middle of a write' : ''}`, async () => {
      const writes = randomWrites(torn ? 5 : 6, 60);
      const states = statesOf(writes);
      const random = seeded(9);
      let isThrough = false;
      for (let changes = 0; !isThrough; changes++) {
        const world = new World();
        world.disk.changesLeft = changes;
        world.disk.tearsLastWrite = torn;
        let answered = 0;
        try {
          const storage = await world.open();
          for (const [number, rows] of writes.entries()) {
            await write(storage, rows);
            answered++;
            if (number % 7 === 0) await world.advance(TAKE_OVER_INTERVAL_MS);
          }
          isThrough = true;
        } catch (error) {
          assert.match(String(error), /power/);
        }
        world.cutPower(changes % 2 === 0 ? 'all' : { keeps: () => random() < 0.5 });
        const found = contents(await world.open());
        const started = Math.min(answered + 1, writes.length);
        assert.ok(
          states.slice(answered, started + 1).some((state) => JSON.stringify(state) === JSON.stringify(found)),
          `${answered} writes were answered before change ${changes}`,
        );
      }
    });
  }

  it('asks the storage below for nothing while small writes are few, and hands them over together', async () => {
    const world = new World();
    const storage = await world.open();
    const before = world.writesBelow;
    for (let number = 0; number < 10; number++) await write(storage, { same: `${number}` });
    assert.equal(world.writesBelow, before);
    assert.equal(world.store.get('same'), undefined);
    await world.advance(TAKE_OVER_INTERVAL_MS);
    assert.equal(world.writesBelow, before + 1);
    assert.equal(world.store.get('same')?.toString(), '9');
    assert.deepEqual(contents(storage), { same: '9' });
    await storage.close();
    assert.equal(world.runtime.pendingTimers, 0);
  });

  it('refuses a write when the log fails, and logs again once the storage below has everything', async () => {
    const world = new World();
    const storage = await world.open();
    await write(storage, { a: '1' });
    world.disk.failSync = new Error('EIO');
    await assert.rejects(write(storage, { b: '2' }), /EIO/);
    world.disk.failSync = null;
    await write(storage, { c: '3' });
    assert.equal(world.store.get('a')?.toString(), '1');
    const below = world.writesBelow;
    await write(storage, { d: '4' });
    assert.equal(world.writesBelow, below);
    world.cutPower('all');
    assert.deepEqual(contents(await world.open()), { a: '1', c: '3', d: '4' });
  });

  it('refuses writes when the storage below can not take over, loses nothing, and goes on when it can again', async () => {
    const world = new World();
    const storage = await world.open();
    await write(storage, { a: '1' });
    world.failure = new Error('ENOSPC');
    await world.advance(TAKE_OVER_INTERVAL_MS);
    assert.deepEqual(contents(storage), { a: '1' });
    await assert.rejects(write(storage, { b: '2' }), /ENOSPC/);
    assert.deepEqual(contents(storage), { a: '1' });
    // It is tried again by itself, and fails again.
    const below = world.writesBelow;
    await world.advance(TAKE_OVER_INTERVAL_MS);
    assert.equal(world.writesBelow, below + 1);
    assert.deepEqual(contents(storage), { a: '1' });
    world.failure = null;
    await world.advance(TAKE_OVER_INTERVAL_MS);
    assert.equal(world.store.get('a')?.toString(), '1');
    await write(storage, { c: '3' });
    assert.equal(world.store.get('c'), undefined);
    world.cutPower('all');
    assert.deepEqual(contents(await world.open()), { a: '1', c: '3' });
  });

  it('closes although the storage below fails, and finds everything at the next start', async () => {
    const world = new World();
    const storage = await world.open();
    await write(storage, { a: '1' });
    world.failure = new Error('ENOSPC');
    await storage.close();
    world.failure = null;
    assert.deepEqual(contents(await world.open()), { a: '1' });
  });

  it('has what it answered after any number of lives, each with a sync that fails and a crash', async () => {
    const world = new World();
    const model: Rows = {};
    for (let life = 0; life < 20; life++) {
      const storage = await world.open();
      assert.deepEqual(contents(storage), model);
      for (const [number, rows] of randomWrites(life, 12).entries()) {
        world.disk.failSync = number === life % 12 ? new Error('EIO') : null;
        try {
          await write(storage, rows);
        } catch (error) {
          assert.match(String(error), /EIO/);
          // As the engine does: what was refused is written with what comes next.
          world.disk.failSync = null;
          await write(storage, rows);
        }
        Object.assign(model, rows);
      }
      for (const [key, text] of Object.entries(model)) if (text === null) delete model[key];
      if (life % 3 === 0) await world.advance(TAKE_OVER_INTERVAL_MS);
      if (life % 5 === 0) await storage.close();
      world.cutPower('all');
    }
  });

  for (const where of ['same file', 'other file'] as const) {
    it(`refuses to start when a write before others is damaged, and says what to do (${where})`, async () => {
      const world = new World();
      const storage = await world.open();
      // Large ones go on in the other file, when the first one can't be taken over.
      const text = 'x'.repeat(where === 'same file' ? 20 : 5000);
      world.hangs = true;
      for (let number = 0; number < 6; number++) await write(storage, { [`k${number}`]: text });
      world.disk.killProcess();
      world.store.crash();
      world.hangs = false;
      const path = '/store/log/segment-1';
      const spoilt = Buffer.from(world.disk.content(path));
      const at = spoilt.indexOf('k1');
      assert(at > 0, 'the second write is there');
      spoilt.writeUInt8(spoilt.readUInt8(at) ^ 1, at);
      world.disk.spoil(path, spoilt);
      await assert.rejects(
        world.open(),
        /the log in \/store\/log is damaged: entry \d+ was there, and entry \d+ is not whole/,
      );
    });
  }

  it('does without a log on a disk that has no room for it, and takes none', async () => {
    const world = new World();
    world.disk.capacityBytes = 1000;
    const storage = await world.open();
    assert.equal(world.disk.usedBytes, 0);
    await write(storage, { a: '1' });
    assert.equal(world.store.get('a')?.toString(), '1');
    world.cutPower('all');
    world.disk.capacityBytes = 2 ** 40;
    const reopened = await world.open();
    const below = world.writesBelow;
    await write(reopened, { b: '2' });
    assert.equal(world.writesBelow, below);
    assert.deepEqual(contents(reopened), { a: '1', b: '2' });
  });

  it('believes no log of another store', async () => {
    const one = new World();
    await write(await one.open(), { a: '1' });
    const other = new World(2);
    await (await other.open()).close();
    for (const path of one.disk.paths()) other.disk.spoil(path, one.disk.content(path));
    assert.deepEqual(contents(await other.open()), {});
  });

  describe('of before there were groups', () => {
    const SALT = 77n;

    /** A store that lacks two writes of its log, and its log, of which the last write may be torn or the first one damaged. */
    async function earlierWorld(spoil: (log: Buffer) => void): Promise<World> {
      const world = new World();
      const progress = Buffer.alloc(16);
      progress.writeBigUInt64LE(4n, 0);
      progress.writeBigUInt64LE(SALT, 8);
      world.store.change(new Map([['\u00ff'.repeat(1900), progress]]));
      world.store.change(new Map([['a', Buffer.from('stored')]]));
      const log = Buffer.concat([
        earlierRecord(5, { b: 'logged' }),
        earlierRecord(6, { a: null, c: 'too' }),
        earlierRecord(2, { z: 'of an earlier round' }),
      ]);
      spoil(log);
      await world.disk.replaceFile('/store/commits-1.log', log);
      await world.disk.replaceFile('/store/commits-2.log', Buffer.alloc(64));
      return world;
    }

    function earlierRecord(number: number, rows: Rows): Buffer {
      const batch = encodeBatch(
        new Map(Object.entries(rows).map(([key, text]) => [key, text === null ? null : Buffer.from(text)])),
        0n,
      );
      const changes = batch.subarray(8);
      const bytes = Buffer.alloc(Math.ceil((24 + changes.length) / 8) * 8);
      bytes.writeBigUInt64LE(BigInt(number), 8);
      bytes.writeUInt32LE(changes.length, 16);
      bytes.writeUInt32LE(Number(BigInt.asUintN(32, saltedChecksum(bytes.subarray(8, 20), SALT))), 20);
      bytes.set(changes, 24);
      bytes.writeBigUInt64LE(saltedChecksum(bytes.subarray(8), SALT), 0);
      return bytes;
    }

    it('has what its log has, once, and needs that no more', async () => {
      const world = await earlierWorld(() => {});
      assert.deepEqual(contents(await world.open()), { b: 'logged', c: 'too' });
      assert.deepEqual(
        world.disk.paths().filter((path) => path.includes('commits')),
        [],
      );
      world.cutPower('all');
      assert.deepEqual(contents(await world.open()), { b: 'logged', c: 'too' });
    });

    it('is refused when a write before others is damaged', async () => {
      const world = await earlierWorld((log) => void log.writeUInt8(1, 30));
      await assert.rejects(
        world.open(),
        /commits-1.log and commits-2.log are damaged: write 6 is there, and write 5 is not/,
      );
    });
  });
});
