// What every BlockService promises, as cases over a factory of stores. Each
// case opens what it needs and fails by assertion.
import assert from 'node:assert/strict';
import { ServiceError } from '../../src/protocol/errors.js';
import type { BlockService, GetResult } from '../../src/protocol/services/blocks.js';
import { hashBlock, hashOfPages, hashPages, PAGE_BYTES } from '../../src/protocol/values/hash.js';
import { content, first, getOne, key, patched, putOne, type StorePlace } from '../unit/dataserver/harness.js';

export const blockCases: Record<string, (place: StorePlace) => Promise<void>> = {
  async 'gives back what was put, with its hash'(place) {
    const { blocks } = await place.open();
    for (const [index, size] of [0, 1, 4095, 4096, 4097, 131_072, 1_000_000].entries()) {
      const data = content(size, index);
      assert.deepEqual(await putOne(blocks, { ...key(index), data }), { state: 'stored', hash: hashBlock(data) });
      const result = await getOne(blocks, key(index));
      assert.ok(result.state === 'present');
      assert.equal(result.hash, hashBlock(data));
      assert.equal(result.length, size);
      assert.deepEqual(Buffer.from(result.data ?? []), data);
      assert.equal(result.pageHashes, undefined);
    }
  },

  async 'answers ranges with page hashes that prove them'(place) {
    const { blocks } = await place.open();
    const data = content(5 * PAGE_BYTES + 100, 1);
    await putOne(blocks, { ...key(0), data });
    for (const [offset, length] of [
      [0, 10],
      [4000, 200],
      [PAGE_BYTES, PAGE_BYTES],
      [5 * PAGE_BYTES, 1000],
      [0, data.length - 1],
      [data.length, 5],
      [data.length + 5000, 5],
    ] as const) {
      const result = await range(blocks, offset, length);
      assert.deepEqual(Buffer.from(result.data ?? []), data.subarray(offset, offset + length));
      assert.deepEqual(Buffer.from(result.pageHashes ?? []), Buffer.from(hashPages(data)));
      assert.equal(hashOfPages(result.pageHashes ?? Buffer.alloc(0), result.length), result.hash);
    }
  },

  async 'sends no bytes with a mere ballot'(place) {
    const { blocks } = await place.open();
    const data = content(10_000, 1);
    await putOne(blocks, { ...key(0), data });
    for (const length of [0, 5000, 20_000]) {
      const { results } = await blocks.get({ items: [{ ...key(0), offset: 0, length, data: false }] });
      assert.deepEqual(first(results), { state: 'present', hash: hashBlock(data), length: data.length });
    }
  },

  async 'says absent for what it never had'(place) {
    const { blocks } = await place.open();
    await putOne(blocks, { ...key(0, 7), data: content(10, 1) });
    for (const other of [key(0, 6), key(0, 8), key(1, 7), key(0, 7, 6)]) {
      assert.deepEqual(await getOne(blocks, other), { state: 'absent' });
    }
  },

  async 'keeps the order of requests in its answers'(place) {
    const { blocks } = await place.open();
    const items = [5, 3, 9, 1].map((index) => ({ ...key(index), data: content(index * 1000, index) }));
    const put = await blocks.put({ items, durable: true });
    assert.deepEqual(
      put.results.map((result) => result.state === 'stored' && result.hash),
      items.map(({ data }) => hashBlock(data)),
    );
    const asked = [key(9), key(2), key(5)].map((block) => ({ ...block, offset: 0, length: 0, data: false }));
    const { results } = await blocks.get({ items: asked });
    assert.deepEqual(
      results.map(({ state }) => state),
      ['present', 'absent', 'present'],
    );
  },

  async 'keeps a version as it was, unless told to replace it'(place) {
    const { blocks } = await place.open();
    const old = content(9000, 1);
    const other = content(9000, 2);
    await putOne(blocks, { ...key(0), data: old });
    assert.deepEqual(await putOne(blocks, { ...key(0), data: old }), { state: 'stored', hash: hashBlock(old) });
    assert.deepEqual(await putOne(blocks, { ...key(0), data: other }), { state: 'stored', hash: hashBlock(old) });
    assert.equal(present(await getOne(blocks, key(0))).hash, hashBlock(old));
    const replaced = await putOne(blocks, { ...key(0), data: other }, { replace: true });
    assert.deepEqual(replaced, { state: 'stored', hash: hashBlock(other) });
    assert.equal(present(await getOne(blocks, key(0))).hash, hashBlock(other));
  },

  async 'patches a base into what plain copying gives'(place) {
    const { blocks } = await place.open();
    const base = content(5 * PAGE_BYTES + 10, 1);
    await putOne(blocks, { ...key(0), data: base });
    const write = (offset: number, length: number) => ({ offset, data: content(length, offset + length) });
    const cases: { length: number; writes: { offset: number; data: Buffer }[] }[] = [
      { length: base.length, writes: [write(PAGE_BYTES, PAGE_BYTES)] },
      { length: base.length, writes: [write(10, 20)] },
      { length: base.length, writes: [write(4000, 9000)] },
      { length: base.length, writes: [write(100, 50), write(120, 100), write(90, 15)] },
      { length: base.length, writes: [write(0, base.length)] },
      { length: base.length, writes: [] },
      { length: base.length, writes: [write(50, 0)] },
      { length: base.length + 1, writes: [] },
      { length: 9 * PAGE_BYTES, writes: [] },
      { length: 9 * PAGE_BYTES + 7, writes: [write(8 * PAGE_BYTES - 5, 10)] },
      { length: 5 * PAGE_BYTES, writes: [] },
      { length: 2 * PAGE_BYTES + 1, writes: [write(2 * PAGE_BYTES, 1)] },
      { length: 100, writes: [] },
      { length: 0, writes: [] },
      { length: base.length, writes: [write(5 * PAGE_BYTES, 10)] },
      { length: base.length, writes: [write(PAGE_BYTES, PAGE_BYTES), write(PAGE_BYTES + 5, 10)] },
    ];
    for (const [number, { length, writes }] of cases.entries()) {
      const version = number + 2;
      const expected = patched(base, length, writes);
      const item = { ...key(0, version), base: 1, baseHash: hashBlock(base), length, writes };
      const label = `case ${number}`;
      assert.deepEqual(await putOne(blocks, item), { state: 'stored', hash: hashBlock(expected) }, label);
      const result = present(await getOne(blocks, key(0, version)));
      assert.deepEqual(Buffer.from(result.data ?? []), expected, label);
      assert.equal(result.hash, hashBlock(expected), label);
    }
  },

  async 'patches patches, and survives the loss of their bases'(place) {
    let { blocks } = await place.open();
    let bytes = content(20 * PAGE_BYTES, 1);
    await putOne(blocks, { ...key(0), data: bytes });
    for (let version = 2; version < 40; version++) {
      const writes = [{ offset: (version * 3571) % (bytes.length - 900), data: content(900, version) }];
      const item = { ...key(0, version), base: version - 1, baseHash: hashBlock(bytes), length: bytes.length, writes };
      bytes = patched(bytes, bytes.length, writes);
      assert.deepEqual(await putOne(blocks, item), { state: 'stored', hash: hashBlock(bytes) });
      await blocks.delete({ items: [key(0, version - 1)] });
    }
    assert.deepEqual(Buffer.from(present(await getOne(blocks, key(0, 39))).data ?? []), bytes);
    await place.close();
    ({ blocks } = await place.open());
    assert.deepEqual(Buffer.from(present(await getOne(blocks, key(0, 39))).data ?? []), bytes);
  },

  async 'refuses a base that is missing or another'(place) {
    const { blocks } = await place.open();
    const base = content(100, 1);
    await putOne(blocks, { ...key(0), data: base });
    const item = { ...key(0, 2), base: 1, baseHash: hashBlock(base), length: 100, writes: [] };
    assert.deepEqual(await putOne(blocks, { ...item, base: 9 }), { state: 'no-base' });
    assert.deepEqual(await putOne(blocks, { ...item, baseHash: 1n }), { state: 'bad-base' });
    assert.deepEqual(await getOne(blocks, key(0, 2)), { state: 'absent' });
  },

  async 'answers a repeated patch although its base is gone'(place) {
    const { blocks } = await place.open();
    const base = content(9000, 1);
    const writes = [{ offset: 5, data: content(5, 2) }];
    await putOne(blocks, { ...key(0), data: base });
    const item = { ...key(0, 2), base: 1, baseHash: hashBlock(base), length: 9000, writes };
    const stored = await putOne(blocks, item);
    await blocks.delete({ items: [key(0)] });
    assert.deepEqual(await putOne(blocks, item), stored);
  },

  async 'takes bases from the same request'(place) {
    const { blocks } = await place.open();
    const base = content(9000, 1);
    const writes = [{ offset: 8000, data: content(1000, 2) }];
    const patch = { ...key(0, 2), base: 1, baseHash: hashBlock(base), length: 9000, writes };
    const { results } = await blocks.put({ items: [{ ...key(0), data: base }, patch], durable: true });
    assert.deepEqual(results[1], { state: 'stored', hash: hashBlock(patched(base, 9000, writes)) });
  },

  async 'forgets what is deleted, here and after a restart'(place) {
    let { blocks } = await place.open();
    for (let index = 0; index < 5; index++) await putOne(blocks, { ...key(index), data: content(5000, index) });
    const { deleted } = await blocks.delete({ items: [key(1), key(3), key(99), key(3)] });
    assert.equal(deleted, 2);
    for (const round of ['before', 'after']) {
      const states: string[] = [];
      for (let index = 0; index < 5; index++) states.push((await getOne(blocks, key(index))).state);
      assert.deepEqual(states, ['present', 'absent', 'present', 'absent', 'present'], round);
      await place.close();
      ({ blocks } = await place.open());
    }
  },

  async 'takes a deleted version back'(place) {
    let { blocks } = await place.open();
    const data = content(5000, 2);
    await putOne(blocks, { ...key(0), data: content(5000, 1) });
    await blocks.delete({ items: [key(0)] });
    await putOne(blocks, { ...key(0), data });
    await place.close();
    ({ blocks } = await place.open());
    assert.equal(present(await getOne(blocks, key(0))).hash, hashBlock(data));
  },

  async 'lists in key order, page by page'(place) {
    const { blocks } = await place.open();
    const keys = [
      key(0, 1, 1),
      key(0, 2, 1),
      key(300, 1, 1),
      key(2 ** 40, 3, 1),
      key(0, 2 ** 50, 2),
      key(0, 1, 2 ** 45),
    ];
    for (const [at, block] of [3, 0, 5, 1, 4, 2].entries()) {
      await putOne(blocks, { ...(keys[block] ?? key(0)), data: content(at * 100, at) });
    }
    for (const limit of [1, 2, 6, 100]) {
      const seen: unknown[] = [];
      let page = await blocks.list({ limit });
      for (;;) {
        assert.ok(page.entries.length <= limit);
        for (const { inode, index, version } of page.entries) seen.push({ inode, index, version });
        if (page.next === undefined) break;
        page = await blocks.list({ limit, after: page.next });
      }
      assert.deepEqual(seen, keys, `limit ${limit}`);
    }
    const { entries } = await blocks.list({ limit: 1, after: key(0, 2, 1) });
    assert.equal(first(entries).hash, hashBlock(content(500, 5)));
    assert.equal(first(entries).length, 500);
    assert.equal(typeof first(entries).modifiedNs, 'bigint');
  },

  async 'counts blocks and bytes'(place) {
    let { blocks } = await place.open();
    await putOne(blocks, { ...key(0), data: content(100, 1) });
    await putOne(blocks, { ...key(1), data: content(200, 2) });
    await putOne(blocks, { ...key(1), data: content(50, 3) }, { replace: true });
    await blocks.delete({ items: [key(0)] });
    for (const round of ['before', 'after']) {
      const status = await blocks.status({});
      assert.equal(status.blocks, 1, round);
      assert.equal(status.bytes, 50, round);
      assert.equal(status.name, 'data3');
      assert.ok(status.storedBytes >= 350 && status.freeBytes > 0 && status.totalBytes >= status.freeBytes);
      await place.close();
      ({ blocks } = await place.open());
    }
  },

  async 'keeps what was stored without waiting, once flushed'(place) {
    let { blocks } = await place.open();
    const data = content(70_000, 1);
    await putOne(blocks, { ...key(0), data }, { durable: false });
    assert.deepEqual(await blocks.flush({}), {});
    await place.close();
    ({ blocks } = await place.open());
    assert.equal(present(await getOne(blocks, key(0))).hash, hashBlock(data));
  },

  async 'belongs to one cluster, and stays the same store'(place) {
    let { blocks } = await place.open();
    const fresh = await blocks.status({});
    assert.equal(fresh.clusterId, null);
    assert.equal((await blocks.adopt({ clusterId: 'c1' })).clusterId, 'c1');
    assert.equal((await blocks.adopt({ clusterId: 'c1' })).clusterId, 'c1');
    await assert.rejects(blocks.adopt({ clusterId: 'c2' }), withCode('REFUSED'));
    await place.close();
    ({ blocks } = await place.open());
    const { clusterId, storeId } = await blocks.status({});
    assert.deepEqual({ clusterId, storeId }, { clusterId: 'c1', storeId: fresh.storeId });
  },

  async 'refuses what breaks its limits'(place) {
    const { blocks } = await place.open();
    const data = content(10, 1);
    const patch = { ...key(0, 2), base: 1, baseHash: 0n, length: 10, writes: [] };
    const bad: [string, () => Promise<unknown>][] = [
      ['version 0', () => putOne(blocks, { ...key(0, 0), data })],
      ['a fraction', () => putOne(blocks, { ...key(0.5), data })],
      ['beyond exact numbers', () => putOne(blocks, { ...key(2 ** 53), data })],
      ['a negative inode', () => putOne(blocks, { ...key(0, 1, -1), data })],
      ['too large', () => putOne(blocks, { ...key(0), data: Buffer.alloc(2 ** 24 + 1) })],
      ['a patch that is too long', () => putOne(blocks, { ...patch, length: 2 ** 24 + 1 })],
      ['a write behind the end', () => putOne(blocks, { ...patch, writes: [{ offset: 5, data }] })],
      ['its own base', () => putOne(blocks, { ...patch, base: 2 })],
      ['no hash', () => putOne(blocks, { ...patch, baseHash: 5 as unknown as bigint })],
      ['no bytes', () => putOne(blocks, { ...key(0), data: 'text' as unknown as Uint8Array })],
      ['no items', () => blocks.get({} as unknown as Parameters<BlockService['get']>[0])],
      ['null items', () => blocks.delete({ items: [null as unknown as ReturnType<typeof key>] })],
      ['a negative offset', () => blocks.get({ items: [{ ...key(0), offset: -1, length: 1, data: true }] })],
      ['no limit', () => blocks.list({ limit: 0 })],
      ['an empty cluster', () => blocks.adopt({ clusterId: '' })],
    ];
    for (const [name, call] of bad) await assert.rejects(call(), withCode('MALFORMED'), name);
    assert.equal((await blocks.status({})).blocks, 0);
  },

  async 'corrupts so that the ballot is self-consistent and wrong'(place) {
    let { blocks, hooks } = await place.open();
    await putOne(blocks, { ...key(0), data: content(9000, 1) });
    await hooks.corrupt(key(0));
    for (const text of ['This is a corrupted data3', 'something else']) {
      const result = present(await getOne(blocks, key(0)));
      assert.equal(Buffer.from(result.data ?? []).toString(), text);
      assert.equal(result.hash, hashBlock(Buffer.from(text)));
      if (text !== 'something else') await hooks.corrupt({ ...key(0), text: 'something else' });
    }
    await assert.rejects(hooks.corrupt(key(1)), withCode('FAILED'));
    await place.close();
    ({ blocks, hooks } = await place.open({ testHooks: false }));
    await assert.rejects(hooks.corrupt(key(0)), withCode('REFUSED'));
    await assert.rejects(hooks.terminate({}), withCode('REFUSED'));
    await assert.rejects(hooks.restart({ blank: true }), withCode('REFUSED'));
  },

  async 'ends its process only after it has answered'(place) {
    const { hooks } = await place.open();
    assert.deepEqual(await hooks.terminate({}), {});
    assert.deepEqual(place.exits, []);
    assert.deepEqual(await hooks.restart({ blank: false }), {});
    assert.deepEqual(await hooks.restart({ blank: true }), {});
    while (place.exits.length < 3) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(place.exits, ['terminate', 'restart', 'restart blank']);
  },
};

function present(result: GetResult): Extract<GetResult, { state: 'present' }> {
  assert.ok(result.state === 'present', `the block is ${result.state}`);
  return result;
}

async function range(blocks: BlockService, offset: number, length: number) {
  return present(first((await blocks.get({ items: [{ ...key(0), offset, length, data: true }] })).results));
}

function withCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof ServiceError && error.code === code;
}
