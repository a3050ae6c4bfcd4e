// The metaserver that leads is killed, or stopped, again and again under a program that changes names: nothing fails, nothing is
// undone, nothing is carried out twice, and a metaserver that has lost its disk is one of the group again.
import assert from 'node:assert/strict';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, it } from 'mocha';
import { loadConfig } from '../../src/cli/config-file.js';
import type { GroupService, GroupStatus } from '../../src/protocol/services/group.js';
import { connectRemote } from '../../src/protocol/wire/client.js';
import { nodeRuntime } from '../../src/runtime/node/runtime.js';
import { ChangingProgram } from '../support/changing-program.js';
import { until } from '../support/cluster.js';
import { oneCluster } from '../support/one-cluster.js';

const LOSSES = 4;
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

    async function statuses(): Promise<Map<string, GroupStatus>> {
      const { metaservers } = await loadConfig(own.cluster.configFile);
      const runtime = nodeRuntime({ logLevel: 'error', logName: 'test' });
      const found = new Map<string, GroupStatus>();
      await Promise.all(
        metaservers.map(async ({ name, address }) => {
          const remote = connectRemote({ name, address, deadlineMs: 1000, whileDown: 'wait' }, runtime);
          const answer = remote.service<GroupService>('group').status({});
          await answer.then((status) => found.set(name, status)).catch(() => {});
          await remote.close();
        }),
      );
      return found;
    }

    /** Once all three are voters that answer. */
    async function leader(): Promise<string> {
      let leads = '';
      await until('three voters', async () => {
        const known = await statuses();
        leads = [...known].find(([, { isServing }]) => isServing)?.[0] ?? '';
        return known.size === 3 && known.get(leads)?.voters.length === 3 && known.get(leads)?.learners.length === 0;
      });
      return leads;
    }

    it('goes on when its leader is killed', async () => {
      const working = await begin('killed');
      for (let loss = 0; loss < LOSSES; loss++) {
        await working.untilRounds(ROUNDS_BETWEEN);
        process.kill(await own.cluster.pidOf(await leader()), 'SIGKILL');
      }
      await working.untilRounds(ROUNDS_BETWEEN);
      assert.deepEqual((await working.finish()).problems, []);
    });

    it('goes on while its leader is stopped', async () => {
      const working = await begin('stopped');
      for (let loss = 0; loss < LOSSES; loss++) {
        await working.untilRounds(ROUNDS_BETWEEN);
        const stopped = await leader();
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

    it('takes in a metaserver that comes back blank', async () => {
      const working = await begin('blank');
      await working.untilRounds(ROUNDS_BETWEEN);
      const leads = await leader();
      const wiped = ['meta1', 'meta2', 'meta3'].find((name) => name !== leads) ?? '';
      // Its supervisor starts another process.
      const pid = await own.cluster.pidOf(wiped);
      process.kill(pid, 'SIGSTOP');
      await rm(join(own.cluster.folder, 'data', wiped), { recursive: true });
      process.kill(pid, 'SIGKILL');
      await working.untilRounds(ROUNDS_BETWEEN);
      await until('the blank one', async () => (await statuses()).get(wiped)?.role === 'follower');
      process.kill(await own.cluster.pidOf(await leader()), 'SIGKILL');
      await working.untilRounds(ROUNDS_BETWEEN);
      assert.deepEqual((await working.finish()).problems, []);
    });
  });
}
