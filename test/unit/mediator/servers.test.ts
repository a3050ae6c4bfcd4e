// How data servers come to hold what they should and nothing else: rebuilt, scrubbed, told to forget.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Mediator } from '../../../src/mediator/mediator.js';
import { ServiceError } from '../../../src/protocol/errors.js';
import type { ScrubProgress } from '../../../src/protocol/services/admin.js';
import { eventually, type FakeCluster, makeFile } from '../../support/fake-cluster.js';
import type { FaultyReplica } from '../../support/faulty-replica.js';
import { assertEqualReplicas, BLOCK, openCluster, randomBytes, text, untilEachHolds, write } from './fixture.js';

describe('servers that come back', () => {
  it('a blank one is rebuilt, is complete before it counts as up, and carries a vote then', async () => {
    const { cluster, mediator } = await openCluster();
    const inodes: number[] = [];
    for (let number = 0; number < 100; number++) {
      const inode = await makeFile(mediator, `f${number}`);
      await write(mediator, inode, 0, `content ${number}`);
      inodes.push(inode);
    }
    cluster.replica(1).crash();
    cluster.replica(1).restart(true);
    const states: string[] = [];
    for (;;) {
      const server = (await mediator.admin.status({})).dataservers[0];
      assert.ok(server);
      states.push(server.state);
      if (server.state === 'up') break;
      await cluster.runtime.clock.sleep(1);
    }
    assert.ok(states.includes('rebuilding'), states.join());
    await assertEqualReplicas(cluster);
    for (const number of [2, 3]) cluster.replica(number).crash();
    for (const [number, inode] of inodes.entries()) assert.equal(await text(mediator, inode), `content ${number}`);
  });

  it('a blank one lacks nothing in the end, however much it had missed before', async () => {
    const { cluster, mediator } = await openCluster({ servers: 3, readQuorum: 2, writeQuorum: 2, blockSizeBytes: 32 });
    const inode = await makeFile(mediator, 'a');
    cluster.replica(1).crash();
    await write(mediator, inode, 0, randomBytes(1100 * 32));
    const behind = async () => (await mediator.admin.status({})).dataservers[0]?.behind;
    assert.equal(await behind(), 1100);
    cluster.replica(1).restart(true);
    await eventually(async () => (await behind()) === 0);
    await assertEqualReplicas(cluster);
  });

  it('a stale one never votes for old bytes, and catches up', async () => {
    const { cluster, mediator } = await openCluster({ writeQuorum: 3 });
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'old bytes');
    for (const number of [1, 2]) cluster.replica(number).crash();
    await write(mediator, inode, 0, 'new bytes');
    for (const number of [1, 2]) cluster.replica(number).restart();
    assert.equal(await text(mediator, inode), 'new bytes');
    await untilEachHolds(cluster.replicas, 1);
    await assertEqualReplicas(cluster);
    for (const number of [3, 4]) cluster.replica(number).crash();
    assert.equal(await text(mediator, inode), 'new bytes');
  });

  it('one of another cluster is not let in', async () => {
    const { cluster } = await openCluster();
    cluster.replica(1).crash();
    cluster.replica(1).claimedClusterId = 'another';
    cluster.replica(1).restart();
    await eventually(() =>
      cluster.events.some(({ event, server }) => event === 'replica.refused' && server === 'data1'),
    );
  });
});

describe('a server of another kind at the address of a data server', () => {
  it('is refused in words that say so', async () => {
    const { cluster, mediator } = await openCluster();
    const replica = cluster.replica(1);
    replica.crash();
    replica.blocks.status = async () => {
      throw new ServiceError('UNKNOWN_METHOD', 'there is no method blocks.status');
    };
    replica.restart();
    const reason = async () => (await mediator.admin.status({})).dataservers[0]?.reason;
    await eventually(async () => (await reason()) === 'what answers at 127.0.0.1:2 is no data server');
  });
});

async function scrubAll({ admin }: Mediator): Promise<ScrubProgress> {
  await admin.scrub({});
  await eventually(async () => !(await admin.scrubProgress({})).running);
  return admin.scrubProgress({});
}

/** The version of the file's first block that was allocated last of those that the replica holds, as inode/index/version. */
async function newest(replica: FaultyReplica, inode: number): Promise<string> {
  const ofFile = (await replica.versions()).filter((key) => key.startsWith(`${inode}/0/`));
  return ofFile.at(-1) ?? '';
}

/** Has data1 keep the next put until the answer is called. */
function holdPut(cluster: FakeCluster): { reached: Promise<void>; release: () => void } {
  const replica = cluster.replica(1);
  let release = () => {};
  const reached = new Promise<void>((arrived) => {
    replica.beforePut = () => {
      replica.beforePut = () => undefined;
      arrived();
      return new Promise<void>((resolve) => {
        release = resolve;
      });
    };
  });
  return { reached, release: () => release() };
}

describe('scrub', () => {
  it('leaves a write alone that is under way, however old its versions seem to be', async () => {
    const { cluster, mediator } = await openCluster();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'old');
    const { reached, release } = holdPut(cluster);
    const writing = write(mediator, inode, 0, 'new');
    await reached;
    await untilEachHolds(cluster.replicas.slice(1), 2);
    assert.equal((await scrubAll(mediator)).orphansRemoved, 0);
    release();
    await writing;
    assert.equal(await text(mediator, inode), 'new');
    await untilEachHolds(cluster.replicas, 1);
  });

  it('has the write of another mediator start over, and loses none of its bytes', async () => {
    const { cluster, mediator } = await openCluster();
    const other = await cluster.mediator({ maintenance: false });
    const inode = await makeFile(other, 'a');
    await write(other, inode, 0, 'old bytes');
    await write(mediator, await makeFile(mediator, 'b'), 0, 'numbers beyond those of the other');
    const { reached, release } = holdPut(cluster);
    const writing = write(other, inode, 0, 'new');
    await reached;
    await untilEachHolds(cluster.replicas.slice(1), 3);
    const retired = await newest(cluster.replica(2), inode);
    assert.equal((await scrubAll(mediator)).orphansRemoved, 4);
    release();
    await writing;
    assert.equal(await text(mediator, inode), 'new bytes');
    await write(other, inode, 0, 'newer');
    assert.equal(await text(other, inode), 'newerytes');
    await eventually(async () => !(await cluster.replica(1).versions()).includes(retired));
  });

  it('removes what an earlier mediator stored and never committed', async () => {
    const { cluster, mediator } = await openCluster();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'kept');
    const version = Number((await newest(cluster.replica(1), inode)).split('/').at(-1)) + 1;
    const orphan = { inode, index: 0, version, data: Buffer.from('never committed') };
    for (const { store } of cluster.replicas) await store.put({ items: [orphan], durable: true });
    const later = await cluster.mediator({ maintenance: false });
    assert.equal((await scrubAll(later)).orphansRemoved, 5);
    await assertEqualReplicas(cluster);
    assert.equal(await text(mediator, inode), 'kept');
  });

  it('repairs what no read has touched', async () => {
    const { cluster, mediator } = await openCluster();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, randomBytes(4 * BLOCK));
    await cluster.replica(4).corrupt(inode, 2);
    await cluster.replica(5).lose();
    await mediator.admin.scrub({});
    for (;;) {
      const progress = await mediator.admin.scrubProgress({});
      if (!progress.running) {
        assert.equal(progress.repaired, 5);
        assert.equal(progress.done, 4);
        break;
      }
      await cluster.runtime.clock.sleep(5);
    }
    await assertEqualReplicas(cluster);
  });
});

describe('garbage', () => {
  for (const fate of ['lost', 'unanswered'] as const) {
    it(`is collected again when the news of its collection was ${fate}`, async () => {
      const { cluster: opened, mediator } = await openCluster();
      const inode = await makeFile(mediator, 'a');
      await write(mediator, inode, 0, 'old');
      opened.collectedFate = fate;
      await write(mediator, inode, 0, 'new');
      await untilEachHolds(opened.replicas, 1);
      assert.equal(await opened.garbage(), 1);
      opened.collectedFate = 'kept';
      if (fate === 'lost') opened.reconnectMetaserver();
      await eventually(async () => (await opened.garbage()) === 0);
    });
  }
});
