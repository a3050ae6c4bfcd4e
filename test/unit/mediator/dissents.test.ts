// Whom the mediator blames: a replica that lacks what it is being given again is no dissenter.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Mediator } from '../../../src/mediator/mediator.js';
import { eventually, makeFile, writeText } from '../../support/fake-cluster.js';
import { openCluster, untilEachHolds } from './fixture.js';

describe('the count of dissents', () => {
  const FILES = 100;
  const inodes: number[] = [];

  /** data1 of these servers comes back blank; resolves when its rebuild has begun. */
  async function startRebuild(): Promise<Mediator> {
    const { cluster, mediator } = await openCluster();
    inodes.length = 0;
    for (let number = 0; number < FILES; number++) {
      const inode = await makeFile(mediator, `f${number}`);
      await writeText(mediator, inode, `content ${number}`);
      inodes.push(inode);
    }
    const replica = cluster.replica(1);
    const { put } = replica.blocks;
    // A disk that takes its time: what a read finds lacking waits to be repaired longer than the rebuild takes.
    replica.blocks.put = async (request, options) => {
      await cluster.runtime.clock.sleep(10);
      return put(request, options);
    };
    replica.crash();
    replica.restart(true);
    await eventually(async () => (await stateOf(mediator)) === 'rebuilding');
    return mediator;
  }

  const stateOf = async ({ admin }: Mediator) => (await admin.status({})).dataservers[0]?.state;

  const uses: [string, (mediator: Mediator, inode: number) => Promise<unknown>][] = [
    ['read from', ({ files }, inode) => files.read({ inode, offset: 0, length: 10 })],
    [
      'written to',
      ({ files }, inode) => files.write({ inode, extents: [{ offset: 3, data: Buffer.from('X') }], modifyTimeNs: 1n }),
    ],
    ['scrubbed', ({ admin }) => admin.scrub({})],
  ];
  for (const [name, use] of uses) {
    it(`stays while a server that is being rebuilt is ${name}`, async () => {
      const mediator = await startRebuild();
      // All at once, the last first: many of these find out what it lacks before the rebuild comes to it.
      await Promise.all([...inodes].reverse().map((inode) => use(mediator, inode)));
      await eventually(async () => (await stateOf(mediator)) === 'up');
      await eventually(async () => !(await mediator.admin.scrubProgress({})).running);
      for (const inode of inodes) await mediator.files.read({ inode, offset: 0, length: 10 });
      const { dataservers, counters } = await mediator.admin.status({});
      assert.deepEqual([dataservers[0]?.dissents, counters.dissents ?? 0], [0, 0]);
    });
  }

  for (const [name, use] of uses) {
    it(`stays while a server that was away is ${name}`, async () => {
      const { cluster, mediator } = await openCluster({ writeQuorum: 3 });
      const replica = cluster.replica(1);
      const inode = await makeFile(mediator, 'a');
      await writeText(mediator, inode, 'before');
      replica.crash();
      await writeText(mediator, inode, 'after');
      // Nothing is caught up on before it is used.
      replica.beforePut = () => eventually(() => (replica.calls.get('get') ?? 0) > 1);
      replica.restart();
      await eventually(async () => (await stateOf(mediator)) === 'up');
      await use(mediator, inode);
      const [own, others] = [replica, cluster.replica(2)].map(
        (each) => async () => JSON.stringify(await each.contents()),
      );
      await eventually(async () => (await own?.()) === (await others?.()));
      await eventually(async () => !(await mediator.admin.scrubProgress({})).running);
      const { dataservers } = await mediator.admin.status({});
      assert.equal(dataservers[0]?.dissents, 0);
    });
  }

  it('goes up by one for a version that a scrub finds to be other bytes', async () => {
    const { cluster, mediator } = await openCluster();
    const inode = await makeFile(mediator, 'a');
    await writeText(mediator, inode, 'there');
    for (const number of [1, 2]) await cluster.replica(number).corrupt(inode, 0);
    await mediator.admin.scrub({});
    await eventually(async () => !(await mediator.admin.scrubProgress({})).running);
    await mediator.close();
    const { dataservers, counters } = await mediator.admin.status({});
    assert.deepEqual(
      dataservers.map(({ dissents }) => dissents),
      [1, 1, 0, 0, 0],
    );
    assert.deepEqual([counters.dissents, counters.repairs], [2, 2]);
  });

  it('goes up by what a complete server lacks', async () => {
    const { cluster, mediator } = await openCluster();
    const inode = await makeFile(mediator, 'a');
    await writeText(mediator, inode, 'there');
    await cluster.replica(1).lose();
    await mediator.files.read({ inode, offset: 0, length: 10 });
    await untilEachHolds([cluster.replica(1)], 1);
    await eventually(async () => (await mediator.admin.status({})).dataservers[0]?.dissents === 1);
  });
});
