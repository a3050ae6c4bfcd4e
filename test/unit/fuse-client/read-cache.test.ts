import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ReadCache } from '../../../src/fuse-client/read-cache.js';
import { Flags, fixture, stored, uninterrupted } from './fixture.js';

const CHUNK = 128 * 1024;

function file(sizeBytes: number) {
  const content = Buffer.from(Array.from({ length: sizeBytes }, (_, at) => (at * 7 + (at >> 8)) % 251));
  const fetched: number[] = [];
  const fetch = async (offset: number, length: number) => {
    fetched.push(offset);
    return content.subarray(offset, offset + length);
  };
  return { content, fetched, fetch };
}

describe('the read cache', () => {
  it('answers what the file has, across chunks and at its end, and fetches each chunk once', async () => {
    const { content, fetched, fetch } = file(2 * CHUNK + 1000);
    const cache = new ReadCache();
    for (const [offset, length] of [
      [0, 10],
      [5000, 4096],
      [CHUNK - 10, 20],
      [CHUNK - 1, 1],
      [2 * CHUNK + 990, 100],
      [2 * CHUNK + 1000, 5],
    ] as const) {
      const bytes = await cache.read(7, 1, offset, length, fetch);
      assert.deepEqual(Buffer.from(bytes), content.subarray(offset, offset + length), `${offset} ${length}`);
    }
    assert.deepEqual(fetched, [0, CHUNK, 2 * CHUNK]);
  });

  it('forgets what was read under another revision, and all of a file when told', async () => {
    const { fetched, fetch } = file(100);
    const cache = new ReadCache();
    await cache.read(7, 1, 0, 10, fetch);
    await cache.read(7, 2, 0, 10, fetch);
    cache.forget(7);
    await cache.read(7, 2, 0, 10, fetch);
    assert.equal(fetched.length, 3);
  });

  it('does not keep a failure', async () => {
    const { content, fetch } = file(100);
    const cache = new ReadCache();
    await assert.rejects(cache.read(7, 1, 0, 10, () => Promise.reject(new Error('no quorum'))));
    assert.deepEqual(Buffer.from(await cache.read(7, 1, 0, 10, fetch)), content.subarray(0, 10));
  });

  it('is asked anew by every open, and not at all while somebody writes', async () => {
    const setting = fixture();
    const { operations, files } = setting;
    const inode = await stored(setting, 'a', 'voted bytes');
    let reads = 0;
    const read = files.read.bind(files);
    Object.assign(files, {
      read: (request: Parameters<typeof read>[0]) => {
        reads++;
        return read(request);
      },
    });
    const bytes = async (handle: number) =>
      Buffer.from(await operations.read(handle, 0, 5, uninterrupted())).toString();
    const first = await operations.open(inode, Flags.READ, false, uninterrupted);
    assert.equal(await bytes(first.handle), 'voted');
    assert.equal(await bytes(first.handle), 'voted');
    assert.equal(reads, 1);
    const second = await operations.open(inode, Flags.READ, false, uninterrupted);
    await bytes(second.handle);
    assert.equal(reads, 2);
    const writer = await operations.open(inode, Flags.WRITE, false, uninterrupted);
    await bytes(second.handle);
    await bytes(second.handle);
    assert.equal(reads, 4);
    await operations.write(writer.handle, 0, Buffer.from('other'), {}, uninterrupted);
    assert.equal(await bytes(second.handle), 'other');
    await operations.flush(writer.handle);
    await operations.release(writer.handle);
    assert.equal(await bytes(second.handle), 'other');
  });
});
