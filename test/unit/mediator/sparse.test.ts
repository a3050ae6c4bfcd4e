import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Mediator } from '../../../src/mediator/mediator.js';
import { MAXIMUM_FILE_BYTES } from '../../../src/protocol/services/files.js';
import { eventually, makeFile } from '../../support/fake-cluster.js';
import { BLOCK, below, CALLER, openCluster, randomBytes, read, write } from './fixture.js';

function zero({ files }: Mediator, inode: number, offset: number, length: number, keepsSize = true) {
  return files.fallocate({ inode, offset, length, zeros: true, keepsSize, modifyTimeNs: 7n });
}

async function edges({ files }: Mediator, inode: number, offset: number): Promise<(number | string)[]> {
  const find = (what: 'data' | 'hole') =>
    files.seek({ inode, offset, what }).then(
      (found) => found.offset,
      (error: { code: string }) => error.code,
    );
  return [await find('data'), await find('hole')];
}

describe('sparse files', () => {
  it('read zeros where a range was made zeros, and take no space for it', async () => {
    const { cluster, mediator } = await openCluster();
    const inode = await makeFile(mediator, 'f');
    const content = randomBytes(6 * BLOCK);
    await write(mediator, inode, 0, content);
    const attributes = await zero(mediator, inode, BLOCK + 100, 3 * BLOCK);
    content.fill(0, BLOCK + 100, 4 * BLOCK + 100);
    assert.ok((await read(mediator, inode)).equals(content));
    assert.deepEqual(
      [attributes.sizeBytes, attributes.allocatedBytes, attributes.modifyTimeNs],
      [6 * BLOCK, 3 * BLOCK + 100, 7n],
    );
    await eventually(async () => (await cluster.garbage()) === 0);
  });

  it('are what they should be after many writes, holes and cuts', async () => {
    const { mediator } = await openCluster();
    const inode = await makeFile(mediator, 'f');
    const model = Buffer.alloc(6 * BLOCK);
    let size = 0;
    for (let round = 0; round < 120; round++) {
      const offset = below(5 * BLOCK);
      const length = 1 + below(BLOCK * (round % 2 === 0 ? 1 : 5) - 1);
      const end = Math.min(offset + length, 6 * BLOCK);
      if (round % 3 === 0) {
        const keepsSize = round % 2 === 0;
        await zero(mediator, inode, offset, end - offset, keepsSize);
        model.fill(0, offset, end);
        if (!keepsSize) size = Math.max(size, end);
      } else if (round % 10 === 1) {
        size = offset;
        model.fill(0, size);
        await mediator.files.setattr({ inode, changes: { sizeBytes: size }, caller: CALLER });
      } else {
        const data = randomBytes(end - offset);
        data.copy(model, offset);
        size = Math.max(size, end);
        await write(mediator, inode, offset, data);
      }
      assert.ok((await read(mediator, inode)).equals(model.subarray(0, size)), `round ${round}`);
      assert.equal((await mediator.files.getattr({ inode })).sizeBytes, size);
    }
  });

  it('say where their data and their holes are', async () => {
    const { mediator } = await openCluster();
    const inode = await makeFile(mediator, 'f');
    assert.deepEqual(await edges(mediator, inode, 0), ['ENXIO', 'ENXIO']);
    await write(mediator, inode, 2 * BLOCK, Buffer.alloc(3 * BLOCK, 1));
    await mediator.files.setattr({ inode, changes: { sizeBytes: 2 ** 45 + 5 }, caller: CALLER });
    await write(mediator, inode, 2 ** 45, Buffer.from('end'));
    assert.deepEqual(await edges(mediator, inode, 0), [2 * BLOCK, 0]);
    assert.deepEqual(await edges(mediator, inode, 3 * BLOCK + 7), [3 * BLOCK + 7, 5 * BLOCK]);
    assert.deepEqual(await edges(mediator, inode, 5 * BLOCK), [2 ** 45, 5 * BLOCK]);
    assert.deepEqual(await edges(mediator, inode, 2 ** 45 + 1), [2 ** 45 + 1, 2 ** 45 + 5]);
    assert.deepEqual(await edges(mediator, inode, 2 ** 45 + 5), ['ENXIO', 'ENXIO']);
    await zero(mediator, inode, 2 ** 45, 100);
    assert.deepEqual(await edges(mediator, inode, 5 * BLOCK), ['ENXIO', 5 * BLOCK]);
    const dense = await makeFile(mediator, 'dense');
    await write(mediator, dense, 0, Buffer.alloc(4100 * BLOCK, 1));
    assert.deepEqual(await edges(mediator, dense, 5), [5, 4100 * BLOCK]);
  });

  it('grow without taking space, unless there is no room', async () => {
    const { mediator } = await openCluster();
    const inode = await makeFile(mediator, 'f');
    const grow = (length: number, keepsSize = false) =>
      mediator.files.fallocate({ inode, offset: 0, length, zeros: false, keepsSize, modifyTimeNs: 1n });
    const { freeBytes } = await mediator.files.statfs({});
    const { sizeBytes, allocatedBytes } = await grow(5 * BLOCK);
    assert.deepEqual([sizeBytes, allocatedBytes], [5 * BLOCK, 0]);
    assert.equal((await grow(BLOCK)).sizeBytes, 5 * BLOCK);
    assert.equal((await grow(9 * BLOCK, true)).sizeBytes, 5 * BLOCK);
    await assert.rejects(grow(freeBytes + 1), { code: 'ENOSPC' });
    await assert.rejects(grow(MAXIMUM_FILE_BYTES + 1), { code: 'EFBIG' });
    assert.equal((await zero(mediator, inode, 0, Number.MAX_SAFE_INTEGER)).sizeBytes, 5 * BLOCK);
    assert.equal((await mediator.files.getattr({ inode })).sizeBytes, 5 * BLOCK);
  });

  it('lose nothing to another mediator that writes beside the hole', async () => {
    // The one that does the maintenance takes itself for the only one, and its opens for news.
    const { cluster, mediator } = await openCluster({ maintenance: false });
    const other = await cluster.mediator();
    const inode = await makeFile(mediator, 'f');
    await write(mediator, inode, 0, Buffer.alloc(3 * BLOCK, 1));
    await read(other, inode);
    for (let round = 0; round < 10; round++) {
      const mark = Buffer.alloc(50, 10 + round);
      await Promise.all([zero(mediator, inode, 100, 2 * BLOCK), write(other, inode, 2 * BLOCK + 200, mark)]);
      for (const each of [mediator, other]) {
        await each.files.open({ inode, forWriting: false });
        const content = await read(each, inode);
        assert.ok(content.subarray(2 * BLOCK + 200, 2 * BLOCK + 250).equals(mark));
        assert.ok(content.subarray(100, 2 * BLOCK + 100).every((byte) => byte === 0));
      }
    }
  });
});
