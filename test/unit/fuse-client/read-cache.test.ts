import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ReadCache } from '../../../src/fuse-client/cache/read-cache.js';
import { FileError } from '../../../src/protocol/errors.js';
import { type Fixture, Flags, fixture, stored, uninterrupted } from './fixture.js';

const CHUNK = 128 * 1024;

function file(sizeBytes: number) {
  const content = Buffer.from(Array.from({ length: sizeBytes }, (_, at) => (at * 7 + (at >> 8)) % 251));
  const fetched: number[] = [];
  const fetch = async (offset: number, length: number) => {
    fetched.push(offset);
    return { pieces: [content.subarray(offset, offset + length)] };
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
      [10, 3 * CHUNK],
      [CHUNK, CHUNK],
    ] as const) {
      const bytes = await cache.read(7, 1, offset, length, fetch);
      assert.deepEqual(Buffer.concat(bytes), content.subarray(offset, offset + length), `${offset} ${length}`);
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
    assert.deepEqual(Buffer.concat(await cache.read(7, 1, 0, 10, fetch)), content.subarray(0, 10));
  });

  it('is asked anew by every open, and not at all while somebody writes', async () => {
    const setting = fixture();
    const { operations } = setting;
    const inode = await stored(setting, 'a', 'voted bytes');
    const reads = countReads(setting);
    const bytes = async (handle: number) =>
      Buffer.concat(await operations.content.read(handle, 0, 5, uninterrupted)).toString();
    const first = await operations.files.open(inode, Flags.READ, false, uninterrupted);
    assert.equal(await bytes(first.handle), 'voted');
    assert.equal(await bytes(first.handle), 'voted');
    assert.equal(reads.count, 1);
    const second = await operations.files.open(inode, Flags.READ, false, uninterrupted);
    await bytes(second.handle);
    assert.equal(reads.count, 2);
    const writer = await operations.files.open(inode, Flags.WRITE, false, uninterrupted);
    await bytes(second.handle);
    await bytes(second.handle);
    assert.equal(reads.count, 4);
    await operations.content.write(writer.handle, 0, Buffer.from('other'), {}, uninterrupted);
    assert.equal(await bytes(second.handle), 'other');
    await operations.files.flush(writer.handle);
    await operations.files.release(writer.handle);
    assert.equal(await bytes(second.handle), 'other');
  });

  it('is filled by the open of a small file for reading, and by no other', async () => {
    const setting = fixture();
    const { operations } = setting;
    const small = await stored(setting, 'small', 'x'.repeat(28 * 1024));
    const large = await stored(setting, 'large', 'x'.repeat(28 * 1024 + 1));
    const empty = await stored(setting, 'empty', '');
    const reads = countReads(setting);
    for (const inode of [large, empty]) await operations.files.open(inode, Flags.READ, false, uninterrupted);
    await operations.files.open(small, Flags.WRITE, false, uninterrupted);
    await operations.files.open(small, Flags.READ, false, uninterrupted);
    assert.equal(reads.count, 0);
    const other = await stored(setting, 'other', 'voted');
    const { handle } = await operations.files.open(other, Flags.READ, false, uninterrupted);
    assert.equal(reads.count, 1);
    assert.equal(Buffer.concat(await operations.content.read(handle, 0, 4096, uninterrupted)).toString(), 'voted');
    assert.equal(reads.count, 1);
  });

  it('serves what takes more bytes than the file has, and a copy, from what the open has asked for', async () => {
    const setting = fixture();
    const { operations } = setting;
    const small = await stored(setting, 'small', 'voted');
    const copy = await stored(setting, 'copy', '');
    const reads = countReads(setting);
    const source = await operations.files.open(small, Flags.READ, false, uninterrupted);
    const target = await operations.files.open(copy, Flags.WRITE, false, uninterrupted);
    assert.equal(
      Buffer.concat(await operations.content.read(source.handle, 0, 1 << 20, uninterrupted)).toString(),
      'voted',
    );
    const request = {
      source: { handle: source.handle, offset: 0 },
      target: { handle: target.handle, offset: 0 },
      length: 1 << 30,
    };
    assert.equal(await operations.content.copy(request, false, uninterrupted), 5);
    assert.equal(reads.count, 1);
    assert.equal(setting.files.lender.outstanding, 0);
  });

  it('is filled by few opens when nobody reads what they ask for, and by all once somebody does', async () => {
    const setting = fixture();
    const { operations } = setting;
    const inode = await stored(setting, 'a', 'voted');
    const reads = countReads(setting);
    const open = async () => {
      const { handle } = await operations.files.open(inode, Flags.READ, false, uninterrupted);
      return handle;
    };
    for (let round = 0; round < 16 + 160; round++) await operations.files.release(await open());
    assert.equal(reads.count, 16 + 10);
    const handle = await open();
    await operations.content.read(handle, 0, 4096, uninterrupted);
    const before = reads.count;
    await open();
    assert.equal(reads.count, before + 1);
  });

  it('leaves it to the read to fail when what an open asked for did', async () => {
    const setting = fixture();
    const { operations } = setting;
    const inode = await stored(setting, 'a', 'voted');
    const reads = countReads(setting);
    reads.failing = new FileError('EIO', 'no quorum');
    const { handle } = await operations.files.open(inode, Flags.READ, false, uninterrupted);
    await assert.rejects(operations.content.read(handle, 0, 4096, uninterrupted), { code: 'EIO' });
    reads.failing = undefined;
    assert.equal(Buffer.concat(await operations.content.read(handle, 0, 4096, uninterrupted)).toString(), 'voted');
  });
});

function countReads({ files }: Fixture): { count: number; failing?: Error | undefined } {
  const reads: { count: number; failing?: Error | undefined } = { count: 0 };
  const read = files.read.bind(files);
  Object.assign(files, {
    async read(request: Parameters<typeof read>[0]) {
      reads.count++;
      if (reads.failing !== undefined) throw reads.failing;
      return read(request);
    },
  });
  return reads;
}
