// Processes really end and really start: blank replicas are rebuilt, a second
// start finds everything as it was.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { callXmlRpc } from '../../src/protocol/http/xml-rpc.js';
import type { ClusterStatus } from '../../src/protocol/services/admin.js';
import { Cluster, until } from '../support/cluster.js';
import { oneCluster } from '../support/one-cluster.js';

const names = (count: number) => Array.from({ length: count }, (_, index) => `data${index + 1}`);

describe('restart', function () {
  this.timeout(240_000);
  const place = oneCluster({ servers: 5, readQuorum: 3 });

  it('a terminated server stays away, is refused nothing it had, and comes back with it', async () => {
    const { cluster } = place;
    assert.equal((await cluster.shell('for i in $(seq 50); do echo "file $i" > f$i; done')).status, 0);
    await cluster.untilEqual(...names(5));
    const before = await cluster.contents('data3');
    const listed = JSON.parse(await cluster.must('list-contents', 'data3', '--json')) as unknown[];
    assert.equal(listed.length, Object.keys(before).length);
    await cluster.must('terminate', 'data3');
    await cluster.untilState('down', 'data3');
    assert.equal((await cluster.shell('cat f7')).stdout, 'file 7\n');
    assert.notEqual((await cluster.shell('echo x > f7')).status, 0);
    await cluster.must('restart', 'data3');
    await cluster.untilState('up');
    assert.deepEqual(await cluster.contents('data3'), before);
  });

  for (const blank of [false, true]) {
    it(`a restart${blank ? ' with a wiped store' : ''} has ended when its command has: a write follows at once`, async () => {
      const { cluster } = place;
      for (let round = 0; round < 3; round++) {
        await cluster.must('restart', 'data2', ...(blank ? ['--blank'] : []));
        const outcome = await cluster.shell(`echo round ${round} > f9 && cat f9`);
        assert.equal(outcome.status, 0, outcome.stderr);
        assert.equal(outcome.stdout, `round ${round}\n`);
      }
      await cluster.untilState('up');
      await cluster.untilEqual(...names(5));
    });
  }

  it('a blank server is rebuilt in the background, with progress, and is complete before it counts as up', async () => {
    const { cluster } = place;
    assert.equal((await cluster.shell('head -c 60000000 /dev/urandom > big && sha256sum big > big.sum')).status, 0);
    const { mediator } = await cluster.status();
    await cluster.must('restart', 'data4', '--blank');
    let sawProgress = false;
    await until('data4 rebuilt', async () => {
      // A command takes so long to start that it could miss the rebuild.
      const status = (await callXmlRpc(mediator.address, 'status', [])) as unknown as ClusterStatus;
      const server = status.dataservers.find(({ name }) => name === 'data4');
      if (server?.rebuild !== undefined && server.rebuild.total > 0) sawProgress = true;
      if (server?.state !== 'up') return false;
      const reference = await cluster.contents('data1');
      assert.deepEqual(await cluster.contents('data4'), reference, 'up means complete');
      return true;
    });
    assert.ok(sawProgress, 'status shows the progress of the rebuild');
    assert.equal((await cluster.shell('sha256sum -c big.sum')).status, 0);
  });

  it('Ctrl-C stops everything in order; a second start finds everything as it was', async () => {
    const { cluster } = place;
    assert.equal(
      (await cluster.shell('mkdir -p deep/er && ln -s ../f1 deep/link && echo kept > deep/er/kept')).status,
      0,
    );
    const listed = (await cluster.shell('find . -printf "%P %y %m %s %n\\n" | sort')).stdout;
    await cluster.stop();
    const log = await readFile(join(cluster.folder, 'run', 'logs', 'mediator.log'), 'utf8');
    assert.equal(log.split('"mount.ended"').length - 1, 1, log);
    const resumed = await Cluster.resume(cluster.folder);
    place.cluster = resumed;
    assert.equal((await resumed.shell('find . -printf "%P %y %m %s %n\\n" | sort')).stdout, listed);
    assert.equal((await resumed.shell('cat deep/er/kept deep/link')).stdout, 'kept\nfile 1\n');
    assert.equal((await resumed.shell('sha256sum -c big.sum')).status, 0);
    await resumed.untilState('up');
  });
});
