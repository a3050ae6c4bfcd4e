// Rows that rot are noticed, and a store of before goes on without checksums.
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { beforeEach, describe, it } from 'mocha';
import type { BaseStorage } from '../../../src/metaserver/engine/storage.js';
import { checkedRows } from '../../../src/metaserver/storage/checked-rows.js';
import { MemoryStore, memoryEngine } from '../../../src/metaserver/storage/memory-engine.js';
import { PROGRESS_KEY } from '../../../src/metaserver/storage/progress.js';
import { testRuntime } from '../../support/fake-cluster.js';

const BEHIND_ALL = `${PROGRESS_KEY}\u0000`;
const DAMAGED = { name: 'DamagedRowError' };

describe('rows with checksums', () => {
  let store: MemoryStore;

  const open = () => checkedRows(memoryEngine(store))('/store', testRuntime([]));
  const rows = (storage: Pick<BaseStorage, 'scan'>, limit = 10) =>
    storage.scan('', BEHIND_ALL, limit).map(({ key, value }) => `${key[0]}=${Buffer.from(value).toString()}`);
  const write = (storage: BaseStorage, ...keys: string[]) =>
    storage.write(new Map(keys.map((key) => [key, Buffer.from(key.toUpperCase())])));

  beforeEach(() => {
    store = new MemoryStore();
  });

  it('are read as they were written, also by the next process, and through views', async () => {
    const storage = await open();
    await write(storage, 'a', 'b');
    await storage.write(new Map([['b', null]]));
    for (const each of [storage, await open()]) {
      assert.deepEqual(rows(each), ['a=A']);
      assert.equal(Buffer.from(each.get('a') ?? []).toString(), 'A');
      assert.equal(each.get('b'), undefined);
      assert.deepEqual(rows(each.view()), ['a=A']);
    }
  });

  it('of pages are as many as were asked for, whatever else the store keeps', async () => {
    const storage = await open();
    await storage.write(new Map([[PROGRESS_KEY, Buffer.from('P')]]));
    await write(storage, 'a', 'b');
    assert.deepEqual(rows(storage, 2), ['a=A', 'b=B']);
    assert.deepEqual(rows(storage, 3), ['a=A', 'b=B', '\u00ff=P']);
    assert.deepEqual(rows(storage, Number.POSITIVE_INFINITY), ['a=A', 'b=B', '\u00ff=P']);
  });

  for (const bit of [0, 7, 8, 39]) {
    it(`are not answered when bit ${bit} has flipped`, async () => {
      const storage = await open();
      await write(storage, 'a', 'b');
      store.rot('a', Math.floor(bit / 8), bit % 8);
      assert.throws(() => storage.get('a'), DAMAGED);
      assert.throws(() => rows(storage), DAMAGED);
      assert.throws(() => rows(storage.view()), DAMAGED);
      assert.equal(Buffer.from(storage.get('b') ?? []).toString(), 'B');
    });
  }

  it('are not answered under another key', async () => {
    const storage = await open();
    await write(storage, 'a');
    store.change(new Map([['b', store.get('a') ?? null]]));
    assert.throws(() => storage.get('b'), DAMAGED);
  });

  it('are not answered when they are shorter than a checksum', async () => {
    const storage = await open();
    await write(storage, 'a');
    store.change(new Map([['a', Buffer.from('A')]]));
    assert.throws(() => storage.get('a'), DAMAGED);
  });

  it('throw what whoever is told of it makes of it', async () => {
    const storage = await open();
    await write(storage, 'a');
    store.rot('a', 0, 0);
    const told: string[] = [];
    storage.onDamage = (damage) => {
      told.push(damage.message);
      return new Error('ask another one');
    };
    assert.throws(() => storage.get('a'), { message: 'ask another one' });
    assert.match(told.join(), /the row 61 of the metaserver's database is damaged/);
  });

  it('come to a store of before when all its rows are replaced', async () => {
    store.change(new Map([['a', Buffer.from('old')]]));
    const storage = await open();
    await write(storage, 'b');
    assert.deepEqual(rows(storage), ['a=old', 'b=B']);
    assert.equal(store.get('b')?.length, 1, 'without a checksum');
    const replacement = await storage.replacement();
    await replacement.add([{ key: 'c', value: Buffer.from('C') }]);
    await replacement.install();
    assert.deepEqual(rows(storage), ['c=C']);
    store.rot('c', 0, 0);
    assert.throws(() => storage.get('c'), DAMAGED);
    assert.throws(() => rows(storage), DAMAGED);
  });
});
