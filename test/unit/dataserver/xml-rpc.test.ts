// What people and scripts get from a data server.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ServiceError } from '../../../src/protocol/errors.js';
import { formatHash, hashBlock } from '../../../src/protocol/values/hash.js';
import { content, key, memoryPlaces, putOne, withPlace } from './harness.js';

describe('XML-RPC of a data server', () => {
  it('puts, gets, lists and corrupts by keys of text', () =>
    withPlace(memoryPlaces, async (place) => {
      const { xmlRpc } = await place.open();
      const data = content(5000, 1);
      assert.equal(await xmlRpc.put('7/0/1', data), true);
      assert.equal(await xmlRpc.put(Buffer.from('7/0/2'), 'a text'), true);
      assert.deepEqual(await xmlRpc.get('7/0/1'), data);
      assert.deepEqual(await xmlRpc.get('7/0'), Buffer.from('a text'));
      const contents = await xmlRpc.list_contents();
      assert.ok(Array.isArray(contents));
      const plain = contents.map((entry) => (Array.isArray(entry) ? entry.slice(0, 4) : entry));
      assert.deepEqual(plain, [
        ['7/0', 1, 5000, formatHash(hashBlock(data))],
        ['7/0', 2, 6, formatHash(hashBlock(Buffer.from('a text')))],
      ]);
      assert.ok(contents.every((entry) => Array.isArray(entry) && entry[4] instanceof Date));
      assert.equal(await xmlRpc.corrupt('7/0'), true);
      assert.deepEqual(await xmlRpc.get('7/0'), Buffer.from('This is a corrupted data3'));
      assert.equal(await xmlRpc.corrupt('7/0/1', 'mine'), true);
      assert.deepEqual(await xmlRpc.get('7/0/1'), Buffer.from('mine'));
      assert.equal(await xmlRpc.ping(), true);
    }));

  it('lists more than one page of contents', () =>
    withPlace(memoryPlaces, async (place) => {
      const { blocks, xmlRpc } = await place.open();
      const items = Array.from({ length: 5000 }, (_, index) => ({ ...key(index), data: Buffer.from([index & 255]) }));
      await blocks.put({ items, durable: true });
      const contents = await xmlRpc.list_contents();
      assert.ok(Array.isArray(contents) && contents.length === 5000);
    }));

  it('answers faults that say what is wrong', () =>
    withPlace(memoryPlaces, async (place) => {
      const { blocks, xmlRpc } = await place.open({ testHooks: false });
      await putOne(blocks, { ...key(0), data: content(10, 1) });
      const cases: [Promise<unknown>, string, RegExp][] = [
        [xmlRpc.put('5/0', 'x'), 'MALFORMED', /with a version/],
        [xmlRpc.put('5/0/0', 'x'), 'MALFORMED', /version/],
        [xmlRpc.put('5/0/1', 5), 'MALFORMED', /base64/],
        [xmlRpc.get('/etc/passwd'), 'MALFORMED', /inode\/index/],
        [xmlRpc.get(7), 'MALFORMED', /key/],
        [xmlRpc.get(), 'MALFORMED', /parameters/],
        [xmlRpc.get('5/1'), 'FAILED', /no version/],
        [xmlRpc.get('5/0/9'), 'FAILED', /absent/],
        [xmlRpc.corrupt('5/0'), 'REFUSED', /testHooks/],
        [xmlRpc.terminate(), 'REFUSED', /testHooks/],
        [xmlRpc.restart(), 'REFUSED', /testHooks/],
        [xmlRpc.restart('yes'), 'MALFORMED', /true or false/],
      ];
      for (const [call, code, message] of cases) {
        await assert.rejects(
          call,
          (error) => error instanceof ServiceError && error.code === code && message.test(error.message),
        );
      }
    }));
});
