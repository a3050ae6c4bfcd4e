// What status says of servers that are not well, and what the cluster survives then.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { survivalText } from '../../../src/explain/survival.js';
import { eventually, makeFile } from '../../support/fake-cluster.js';
import { calls, openCluster, text, write } from './fixture.js';

describe('status', () => {
  it('names a server whose disk takes nothing, and counts it as none that a write can use', async () => {
    const { cluster, mediator } = await openCluster({ writeQuorum: 4 });
    cluster.replica(2).trouble = 'read-only';
    const one = await mediator.admin.status({});
    assert.equal(one.dataservers[1]?.state, 'up');
    assert.equal(one.dataservers[1]?.trouble, 'read-only');
    assert.ok(one.readable && one.writable);
    assert.match(survivalText(one), /writes need every server that is up/);
    cluster.replica(3).trouble = 'full';
    const two = await mediator.admin.status({});
    assert.equal(two.writable, false);
    assert.match(survivalText(two), /writes are refused: 4 data servers must store them, 3 can/);
    cluster.replica(2).trouble = null;
    cluster.replica(3).trouble = null;
    assert.match(survivalText(await mediator.admin.status({})), /^Reads survive 2 bad or missing replicas of 5 once/);
  });

  it('counts what a server lacks, and does not count on it', async () => {
    const { cluster, mediator } = await openCluster({ writeQuorum: 3 });
    cluster.replica(1).crash();
    for (let number = 0; number < 4; number++) {
      await write(mediator, await makeFile(mediator, `f${number}`), 0, 'x');
    }
    const { dataservers, survivesNow } = await mediator.admin.status({});
    assert.deepEqual(
      dataservers.map(({ behind }) => behind),
      [4, 0, 0, 0, 0],
    );
    assert.deepEqual(survivesNow, { complete: 4, reads: 1, writes: 1 });
    cluster.replica(1).fault = 'none';
    cluster.replica(1).restart();
    await eventually(async () => (await mediator.admin.status({})).dataservers[0]?.behind === 0);
  });

  it('says what is survived now, and nothing when reads fail', async () => {
    const { cluster, mediator } = await openCluster();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'x');
    const survivals: string[] = [];
    for (const number of [1, 2, 3]) {
      cluster.replica(number).crash();
      survivals.push(survivalText(await mediator.admin.status({})));
    }
    assert.match(
      survivals[0] ?? '',
      /^Now reads survive 1 more bad or missing replica \(4 of 5 hold every block, 3 must agree\); writes are refused: 5/,
    );
    assert.match(survivals[1] ?? '', /^Now reads survive no further bad or missing replica/);
    assert.match(survivals[2] ?? '', /^Now reads fail: 3 data servers must agree, 2 can vote/);
    assert.doesNotMatch(survivals[2] ?? '', /survive/);
    const { dataservers } = await mediator.admin.status({});
    assert.equal(dataservers[0]?.reason, 'it does not answer');
  });
});

describe('a server that refuses repairs', () => {
  it('is not offered one over and over while nobody reads', async () => {
    const { cluster, mediator } = await openCluster({ writeQuorum: 3 });
    const replica = cluster.replica(1);
    let puts = 0;
    replica.beforePut = async () => {
      puts++;
      throw new Error('read-only file system');
    };
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'x');
    assert.equal(await text(mediator, inode), 'x');
    await eventually(() => cluster.events.some(({ event }) => event === 'repair.failed'));
    const before = puts;
    const { events } = cluster;
    const audited = calls(cluster, 'missed');
    for (let read = 0; read < 50; read++) assert.equal(await text(mediator, inode), 'x');
    assert.ok(puts <= before + 2, `${puts - before} puts more, ${audited} looks`);
    assert.equal(events.filter(({ event }) => event === 'repair.failed').length, 1, 'said once');
  });
});
