// How data servers come to hold what they should and nothing else: rebuilt, scrubbed, told to forget.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'mocha';
import { eventually, makeFile } from '../../support/fake-cluster.js';
import { assertEqualReplicas, BLOCK, openCluster, text, write } from './fixture.js';

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
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.ok(states.includes('rebuilding'), states.join());
    assertEqualReplicas(cluster);
    for (const number of [2, 3]) cluster.replica(number).crash();
    for (const [number, inode] of inodes.entries()) assert.equal(await text(mediator, inode), `content ${number}`);
  });

  it('a stale one never votes for old bytes, and catches up', async () => {
    const { cluster, mediator } = await openCluster({ writeQuorum: 3 });
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'old bytes');
    for (const number of [1, 2]) cluster.replica(number).crash();
    await write(mediator, inode, 0, 'new bytes');
    for (const number of [1, 2]) cluster.replica(number).restart();
    assert.equal(await text(mediator, inode), 'new bytes');
    await eventually(() => cluster.replicas.every(({ stored }) => stored.size === 1));
    assertEqualReplicas(cluster);
    for (const number of [3, 4]) cluster.replica(number).crash();
    assert.equal(await text(mediator, inode), 'new bytes');
  });

  it('one of another cluster is not let in', async () => {
    const { cluster } = await openCluster();
    cluster.replica(1).crash();
    cluster.replica(1).clusterId = 'another';
    cluster.replica(1).restart();
    await eventually(() =>
      cluster.events.some(({ event, server }) => event === 'replica.refused' && server === 'data1'),
    );
  });
});

describe('scrub', () => {
  it('repairs what no read has touched', async () => {
    const { cluster, mediator } = await openCluster();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, randomBytes(4 * BLOCK));
    cluster.replica(4).corrupt(inode, 2);
    cluster.replica(5).stored.clear();
    await mediator.admin.scrub({});
    for (;;) {
      const progress = await mediator.admin.scrubProgress({});
      if (!progress.running) {
        assert.equal(progress.repaired, 5);
        assert.equal(progress.done, 4);
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assertEqualReplicas(cluster);
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
      await eventually(() => opened.replicas.every(({ stored }) => stored.size === 1));
      assert.equal(await opened.garbage(), 1);
      opened.collectedFate = 'kept';
      if (fate === 'lost') opened.reconnectMetaserver();
      await eventually(async () => (await opened.garbage()) === 0);
    });
  }
});
