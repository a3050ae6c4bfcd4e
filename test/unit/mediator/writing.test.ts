// What a write, a cut or a removal does on all servers, and when it is refused instead.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ServiceError } from '../../../src/protocol/errors.js';
import { ROOT_INODE } from '../../../src/protocol/services/files.js';
import { eventually, makeFile } from '../../support/fake-cluster.js';
import {
  assertEqualReplicas,
  BLOCK,
  CALLER,
  openCluster,
  randomBytes,
  read,
  text,
  untilEachHolds,
  write,
} from './fixture.js';

describe('writing', () => {
  it('gives a replica a large write piece by piece, so that what is asked meanwhile is not late', async () => {
    const { cluster, mediator } = await openCluster();
    const inode = await makeFile(mediator, 'a');
    const data = randomBytes(24 << 20);
    await write(mediator, inode, 0, data);
    assert.ok((await read(mediator, inode, 0, data.length)).equals(data));
    for (const replica of cluster.replicas) assert.ok(replica.mostPutsAtOnce <= 4, `${replica.mostPutsAtOnce} at once`);
  });

  it('is refused with EIO when Qw servers can not be reached, and leaves what was there', async () => {
    const { cluster, mediator } = await openCluster();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'before');
    cluster.replica(3).crash();
    await assert.rejects(write(mediator, inode, 0, 'after'), { code: 'EIO' });
    await assert.rejects(mediator.files.open({ inode, forWriting: true }), { code: 'EIO' });
    await assert.rejects(makeFile(mediator, 'b'), { code: 'EIO' });
    assert.equal(await text(mediator, inode), 'before');
  });

  it('is refused at opening when a server hangs that nobody has asked for a while', async () => {
    const { cluster, mediator } = await openCluster();
    const inode = await makeFile(mediator, 'a');
    cluster.runtime.clock.jump(1000);
    cluster.replica(3).fault = 'hung';
    await assert.rejects(mediator.files.open({ inode, forWriting: true }), { code: 'EIO' });
  });

  it('leaves what was there when a server dies in the middle, and takes its new versions away', async () => {
    const { cluster, mediator } = await openCluster();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'before');
    cluster.replica(3).fault = 'hung';
    await assert.rejects(write(mediator, inode, 0, 'after!'), { code: 'EIO' });
    assert.equal(await text(mediator, inode), 'before');
    await untilEachHolds(
      cluster.replicas.filter(({ fault }) => fault === 'none'),
      1,
    );
  });

  it('takes its new versions from a server that stored them and was lost before it answered, when that is back', async () => {
    const { cluster, mediator } = await openCluster();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'before');
    const lost = cluster.replica(3);
    const { put } = lost.blocks;
    lost.blocks.put = async (request, options) => {
      await put(request, options);
      lost.crash();
      throw new ServiceError('OUTCOME_UNKNOWN', 'lost');
    };
    await assert.rejects(write(mediator, inode, 0, 'after!'), { code: 'EIO' });
    lost.blocks.put = put;
    assert.equal((await lost.versions()).length, 2);
    lost.restart();
    await untilEachHolds(cluster.replicas, 1);
    assert.equal(await text(mediator, inode), 'before');
  });

  it('answers ENOSPC when servers are full', async () => {
    const { cluster, mediator } = await openCluster();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'before');
    cluster.replica(2).fault = 'full';
    await assert.rejects(write(mediator, inode, 0, 'after!'), { code: 'ENOSPC' });
    assert.equal(await text(mediator, inode), 'before');
  });

  it('waits for the servers when configured so', async () => {
    const { cluster, mediator } = await openCluster({ onWriteQuorumLost: 'block' });
    const inode = await makeFile(mediator, 'a');
    cluster.replica(1).crash();
    let written = false;
    const writing = write(mediator, inode, 0, 'late').then(() => {
      written = true;
    });
    await read(mediator, inode);
    assert.equal(written, false);
    cluster.replica(1).restart();
    await writing;
    assert.equal(await text(mediator, inode), 'late');
  });

  it('waits for a server that is lost under the write when told to block, and then stores everything', async () => {
    const { cluster, mediator } = await openCluster({ onWriteQuorumLost: 'block' });
    const inode = await makeFile(mediator, 'a');
    const lost = cluster.replica(3);
    // It is taken for reachable until it is called.
    lost.fault = 'crashed';
    const writing = write(mediator, inode, 0, 'waited');
    await eventually(() => (lost.calls.get('put') ?? 0) > 0);
    lost.fault = 'none';
    await writing;
    assert.equal(await text(mediator, inode), 'waited');
    await untilEachHolds(cluster.replicas, 1);
    await assertEqualReplicas(cluster);
  });

  it('a part of a block mends replicas whose base was bad', async () => {
    const { cluster, mediator } = await openCluster();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'x'.repeat(9000));
    await cluster.replica(1).corrupt(inode, 0);
    await cluster.replica(2).lose();
    await write(mediator, inode, 10, 'patch');
    const expected = `${'x'.repeat(10)}patch${'x'.repeat(8985)}`;
    assert.equal(await text(mediator, inode), expected);
    await untilEachHolds(cluster.replicas, 1);
    await assertEqualReplicas(cluster);
  });

  it('a part of a block fails with EIO when its base has no quorum, a whole block does not', async () => {
    const { cluster, mediator } = await openCluster();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'x'.repeat(9000));
    for (const number of [1, 2, 3]) await cluster.replica(number).corrupt(inode, 0);
    await assert.rejects(write(mediator, inode, 10, 'patch'), { code: 'EIO' });
    await write(mediator, inode, 0, 'y'.repeat(9000));
    assert.equal(await text(mediator, inode), 'y'.repeat(9000));
  });

  it('a truncation and the data after it are one commit', async () => {
    const { cluster, mediator } = await openCluster();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, randomBytes(3 * BLOCK));
    cluster.replica(1).fault = 'full';
    await assert.rejects(write(mediator, inode, 0, 'short', 0), { code: 'ENOSPC' });
    assert.equal((await read(mediator, inode)).length, 3 * BLOCK);
    cluster.replica(1).fault = 'none';
    await write(mediator, inode, 0, 'short', 0);
    assert.equal(await text(mediator, inode), 'short');
    await untilEachHolds(cluster.replicas, 1);
  });

  it('concurrent writers through two mediators lose no bytes', async () => {
    const { cluster, mediator } = await openCluster();
    const other = await cluster.mediator({ maintenance: false });
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, '-'.repeat(64));
    await Promise.all(
      Array.from({ length: 32 }, (_, index) =>
        write(index % 2 === 0 ? mediator : other, inode, index * 2, String.fromCharCode(65 + index)),
      ),
    );
    const expected = Array.from({ length: 32 }, (_, index) => `${String.fromCharCode(65 + index)}-`).join('');
    for (const each of [mediator, other]) {
      // The one that does the maintenance takes itself for the only one: news of the other comes with attributes.
      await each.files.getattr({ inode });
      assert.equal(await text(each, inode), expected);
    }
    await untilEachHolds(cluster.replicas, 1);
  });

  it('an unlinked file frees its blocks everywhere, a held one after its release', async () => {
    const { cluster, mediator } = await openCluster();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'held');
    await mediator.files.unlink({ parent: ROOT_INODE, name: 'a', held: [inode] });
    assert.equal(await text(mediator, inode), 'held');
    await mediator.files.release({ inode });
    await untilEachHolds(cluster.replicas, 0);
    await assert.rejects(mediator.files.getattr({ inode }), { code: 'ENOENT' });
  });
});

describe('cutting', () => {
  for (const before of ['a hole', 'a shorter block']) {
    it(`leaves nothing of a block that another mediator put where this one knew ${before}`, async () => {
      const { cluster: opened, mediator } = await openCluster();
      const other = await opened.mediator();
      const inode = await makeFile(mediator, 'a');
      await write(mediator, inode, 3 * BLOCK, 'end');
      if (before === 'a shorter block') await write(mediator, inode, BLOCK, 'short');
      // Now this mediator remembers the block map.
      await read(mediator, inode);
      await write(other, inode, BLOCK, Buffer.alloc(5000, 'x'));
      const cutAt = BLOCK + 100;
      await mediator.files.setattr({ inode, changes: { sizeBytes: cutAt }, caller: CALLER });
      await write(mediator, inode, 3 * BLOCK, 'end');
      assert.equal(
        (await read(mediator, inode, cutAt, 2 * BLOCK - 100)).findIndex((byte) => byte !== 0),
        -1,
      );
    });
  }
});
