// What an administrator sees of a mediator and asks of it.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { nameFromText } from '../../../src/protocol/http/text.js';
import { type FakeClusterOptions, makeFile, writeText } from '../../support/fake-cluster.js';
import type { FaultyReplica } from '../../support/faulty-replica.js';
import { openCluster } from './fixture.js';

describe('the block counts of status', () => {
  it('are those of now', async () => {
    const { mediator } = await openCluster();
    for (let number = 1; number <= 5; number++) {
      await writeText(mediator, await makeFile(mediator, `f${number}`), 'x');
      const { dataservers } = await mediator.admin.status({});
      assert.deepEqual(
        dataservers.map(({ blocks }) => blocks),
        [number, number, number, number, number],
      );
    }
  });

  it('are the last known ones of a server that hangs, and nobody waits long for it', async () => {
    const { cluster, mediator } = await openCluster({ deadlineMs: 3000 });
    await writeText(mediator, await makeFile(mediator, 'f'), 'x');
    await mediator.admin.status({});
    cluster.replica(2).fault = 'hung';
    const { clock } = cluster.runtime;
    const startMs = clock.monotonicMs();
    const { dataservers } = await mediator.admin.status({});
    assert.ok(clock.monotonicMs() - startMs < 1500, `${clock.monotonicMs() - startMs} ms`);
    assert.deepEqual(
      dataservers.map(({ blocks }) => blocks),
      [1, 1, 1, 1, 1],
    );
  });
});

describe('the contents of a data server', () => {
  it('have the paths of their files as people read them', async () => {
    const { mediator } = await openCluster();
    await writeText(mediator, await makeFile(mediator, nameFromText('grüße')), 'x');
    const { entries } = await mediator.admin.listContents({ server: 'data1', limit: 10 });
    assert.deepEqual(
      entries.map(({ path }) => path),
      ['/grüße'],
    );
  });
});

describe('a restart', () => {
  const ways: [string, FakeClusterOptions][] = [
    ['by the hook of the server', {}],
    [
      'by the supervisor',
      {
        // It knows of the new process before the mediator does.
        async restartServer(replica, blank) {
          replica.crash();
          replica.restartSoon(blank);
        },
      },
    ],
  ];
  for (const [way, options] of ways) {
    for (const blank of [false, true]) {
      it(`${way}${blank ? ' with a wiped store' : ''} is answered when all can be written to again`, async () => {
        const { cluster, mediator } = await openCluster(options);
        const inode = await makeFile(mediator, 'a');
        await writeText(mediator, inode, 'before');
        const storeId = async () => (await cluster.replica(3).store.status({})).storeId;
        const before = await storeId();
        for (let round = 0; round < 3; round++) {
          await mediator.admin.restart({ server: 'data3', blank });
          const { dataservers } = await mediator.admin.status({});
          assert.notEqual(dataservers[2]?.state, 'down');
          await mediator.files.open({ inode, forWriting: true });
          await writeText(mediator, inode, `after ${round}`);
        }
        assert.equal((await storeId()) === before, !blank);
      });
    }
  }

  it('of a server that is down is answered when it is back, too', async () => {
    const { cluster, mediator } = await openCluster(ways[1]?.[1]);
    cluster.replica(3).crash();
    await mediator.admin.restart({ server: 'data3', blank: false });
    await makeFile(mediator, 'a');
  });

  for (const [what, fate, words] of [
    ['does not come back', (replica) => replica.crash(), /does not have data3 back: it does not answer/],
    ['stays as it was', () => {}, /does not have data3 back: its old process still answers/],
    [
      'comes back as a stranger',
      (replica) => {
        replica.crash();
        replica.claimedClusterId = 'another';
        replica.restart();
      },
      /does not have data3 back: its store belongs to cluster another/,
    ],
  ] as [string, (replica: FaultyReplica) => void, RegExp][]) {
    it(`fails in the end for a server that ${what}`, async () => {
      const { mediator } = await openCluster({
        async restartServer(replica) {
          fate(replica);
        },
      });
      await assert.rejects(mediator.admin.restart({ server: 'data3', blank: false }), {
        code: 'FAILED',
        message: words,
      });
    });
  }
});

describe('live settings', () => {
  it('refuses quorums that do not fit, unknown keys and unknown values', async () => {
    const { mediator } = await openCluster();
    const set = (key: string, value: string) => mediator.admin.configure({ key, value });
    await assert.rejects(set('readQuorum', '6'), { code: 'REFUSED' });
    await assert.rejects(set('writeQuorum', '2'), { code: 'REFUSED' });
    await assert.rejects(set('readQuorum', 'two'), { code: 'REFUSED' });
    await assert.rejects(set('audit', 'some'), { code: 'REFUSED' });
    await assert.rejects(set('colour', 'red'), { code: 'REFUSED' });
    assert.deepEqual(await set('readQuorum', '2'), { key: 'readQuorum', value: '2' });
  });
});

describe('closing', () => {
  it('in order warns of no server that goes', async () => {
    const { cluster, mediator } = await openCluster();
    await mediator.close();
    // What the end of the connections looks like.
    for (const replica of cluster.replicas) replica.crash();
    assert.deepEqual(
      cluster.events.filter(({ level }) => level === 'warn' || level === 'error'),
      [],
    );
  });
});
