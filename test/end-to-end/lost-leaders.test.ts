// The metaserver that leads is killed, or stopped, again and again under a program that changes names: nothing fails, nothing is
// undone, nothing is carried out twice, and a metaserver that has lost its disk is one of the group again.
import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, it } from 'mocha';
import { loadConfig } from '../../src/cli/config-file.js';
import { leaderOf, type Standings, withGroup } from '../../src/cli/group-client.js';
import { metaserverMajority } from '../../src/protocol/services/metaserver-majority.js';
import { ChangingProgram } from '../support/changing-program.js';
import { Cluster, freePorts, isAlive, until } from '../support/cluster.js';
import { oneCluster } from '../support/one-cluster.js';

const LOSSES = 4;
/** Each takes seconds. */
const STANDSTILLS = 2;
/** Rounds of changes between two losses. */
const ROUNDS_BETWEEN = 8;

for (const metadataProtocol of ['raft', 'viewstamped'] as const) {
  describe(`a group of three metaservers (${metadataProtocol}) under a program that changes names`, function () {
    this.timeout(240_000);
    const own = oneCluster({ servers: 3, metaservers: 3, metadataProtocol });
    let program: ChangingProgram | undefined;

    afterEach(async () => {
      await program?.kill();
      program = undefined;
    });

    async function begin(name: string): Promise<ChangingProgram> {
      const folder = join(own.cluster.mountPoint, name);
      await mkdir(folder);
      program = new ChangingProgram(folder);
      return program;
    }

    it('goes on when its leader is killed', async () => {
      const working = await begin('killed');
      for (let loss = 0; loss < LOSSES; loss++) {
        await working.untilRounds(ROUNDS_BETWEEN);
        process.kill(await own.cluster.pidOf(await settledLeader(own.cluster)), 'SIGKILL');
      }
      await working.untilRounds(ROUNDS_BETWEEN);
      assert.deepEqual((await working.finish()).problems, []);
    });

    if (metadataProtocol === 'viewstamped') return;

    it('goes on while its leader is stopped', async () => {
      const working = await begin('stopped');
      for (let loss = 0; loss < LOSSES; loss++) {
        await working.untilRounds(ROUNDS_BETWEEN);
        const stopped = await settledLeader(own.cluster);
        const pid = await own.cluster.pidOf(stopped);
        process.kill(pid, 'SIGSTOP');
        try {
          await working.untilRounds(ROUNDS_BETWEEN);
        } finally {
          process.kill(pid, 'SIGCONT');
        }
      }
      assert.deepEqual((await working.finish()).problems, []);
    });

    it('goes on when the others stand still until their leader gives up', async () => {
      const working = await begin('alone');
      for (let loss = 0; loss < STANDSTILLS; loss++) {
        await working.untilRounds(ROUNDS_BETWEEN);
        const leads = await settledLeader(own.cluster);
        const others = ['meta1', 'meta2', 'meta3'].filter((name) => name !== leads);
        const pids = await Promise.all(others.map((name) => own.cluster.pidOf(name)));
        for (const pid of pids) process.kill(pid, 'SIGSTOP');
        try {
          await until('the leader to give up', async () => !(await standings(own.cluster)).get(leads)?.isServing);
        } finally {
          for (const pid of pids) process.kill(pid, 'SIGCONT');
        }
      }
      await working.untilRounds(ROUNDS_BETWEEN);
      assert.deepEqual((await working.finish()).problems, []);
    });

    it('takes in a metaserver that comes back blank', async () => {
      const working = await begin('blank');
      await working.untilRounds(ROUNDS_BETWEEN);
      const leads = await settledLeader(own.cluster);
      const wiped = ['meta1', 'meta2', 'meta3'].find((name) => name !== leads) ?? '';
      // Its supervisor starts another process.
      const pid = await own.cluster.pidOf(wiped);
      process.kill(pid, 'SIGSTOP');
      await rm(join(own.cluster.folder, 'data', wiped), { recursive: true });
      process.kill(pid, 'SIGKILL');
      await working.untilRounds(ROUNDS_BETWEEN);
      await until('the blank one', async () => (await standings(own.cluster)).get(wiped)?.role === 'follower');
      process.kill(await own.cluster.pidOf(await settledLeader(own.cluster)), 'SIGKILL');
      await working.untilRounds(ROUNDS_BETWEEN);
      assert.deepEqual((await working.finish()).problems, []);
    });

    it('has a metaserver again when its restart with an empty store has ended, so that the next may follow', async () => {
      const working = await begin('wiped');
      // The one that the last test has killed may still be catching up: then no other one may be wiped.
      await until('all metaservers to have everything', async () => {
        const { metaservers } = await own.cluster.status();
        return metaserverMajority(metaservers).up.length === 3;
      });
      for (const name of ['meta1', 'meta2', 'meta3']) {
        await own.cluster.must('restart', name, '--blank');
        const { role, voters } = (await standings(own.cluster)).get(name) ?? {};
        assert.ok(role === 'follower' || role === 'leader', `${name} is a ${role}`);
        assert.ok(voters?.includes(name));
      }
      assert.deepEqual((await working.finish()).problems, []);
    });
  });
}

describe('a lone metaserver with files', function () {
  this.timeout(240_000);
  const own = oneCluster({ servers: 3 });

  it('becomes a group of three by the configuration, and one of two again by a command', async () => {
    const { cluster } = own;
    const { stdout } = await cluster.shell('mkdir d && seq 1 1000 > d/numbers && md5sum < d/numbers');
    await cluster.stop();
    const text = await readFile(cluster.configFile, 'utf8');
    const ports = await freePorts(2);
    const more = ports.map(
      (port, at) => `  - { name: meta${at + 2}, address: "127.0.0.1:${port}", directory: data/meta${at + 2} }\n`,
    );
    await writeFile(cluster.configFile, text.replace('dataservers:', `${more.join('')}dataservers:`));
    own.cluster = await Cluster.resume(cluster.folder);
    const leads = await settledLeader(own.cluster);
    const [next = '', last = ''] = ['meta1', 'meta2', 'meta3'].filter((name) => name !== leads);
    await own.cluster.must('metaserver', 'transfer', next);
    assert.equal(await settledLeader(own.cluster), next);
    process.kill(await own.cluster.pidOf(leads), 'SIGKILL');
    assert.equal((await own.cluster.shell('md5sum < d/numbers')).stdout, stdout);
    await settledLeader(own.cluster);
    const removed = await own.cluster.pidOf(last);
    assert.match(await own.cluster.must('metaserver', 'remove', last), /, and its process has ended; /);
    assert.equal(isAlive(removed), false);
    assert.equal((await loadConfig(own.cluster.configFile)).metaservers.length, 2);
    assert.equal((await own.cluster.shell('touch e && md5sum < d/numbers')).stdout, stdout);
    assert.equal((await own.cluster.command('metaserver', 'transfer', last)).status, 2);
  });
});

async function standings({ configFile }: Cluster): Promise<Standings> {
  return withGroup(await loadConfig(configFile), (group) => group.standings());
}

/** Once all that are configured are voters and answer. */
async function settledLeader(cluster: Cluster): Promise<string> {
  const { metaservers } = await loadConfig(cluster.configFile);
  let leads = '';
  await until('all metaservers to be voters', async () => {
    const known = await standings(cluster);
    leads = leaderOf(known) ?? '';
    const { voters = [], learners = [] } = known.get(leads) ?? {};
    return known.size === metaservers.length && voters.length === metaservers.length && learners.length === 0;
  });
  return leads;
}
