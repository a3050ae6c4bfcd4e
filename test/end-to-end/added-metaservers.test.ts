// Metaservers that are added while the group works: the others know them by the group itself, they lead, and they are there after
// a restart of everything.
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { ChangingProgram } from '../support/changing-program.js';
import { Cluster, freePorts, until } from '../support/cluster.js';
import { oneCluster } from '../support/one-cluster.js';

const ADDED = ['meta8', 'meta9'];

describe('metaservers that are added', function () {
  this.timeout(240_000);

  for (const before of [1, 3]) {
    describe(`to ${before}`, () => {
      const own = oneCluster({ servers: 1, metaservers: before });

      /** The names of the voters, once there are so many and all are up. */
      async function voters(count: number): Promise<string[]> {
        let names: string[] = [];
        await until(`${count} voters`, async () => {
          const { metaservers } = await own.cluster.status();
          names = metaservers.filter(({ isVoter, state }) => isVoter && state === 'up').map(({ name }) => name);
          return names.length === count;
        });
        return names;
      }

      async function killLeading(name: string): Promise<void> {
        await own.cluster.must('metaserver', 'transfer', name);
        process.kill(await own.cluster.pidOf(name), 'SIGKILL');
      }

      it('vote, lead, and are there after a restart, while a program changes names', async () => {
        const folder = join(own.cluster.mountPoint, 'changing');
        await mkdir(folder);
        const program = new ChangingProgram(folder, 'append');
        try {
          await program.untilRounds(2);
          for (const [at, port] of (await freePorts(ADDED.length)).entries()) {
            const name = ADDED[at] ?? assert.fail();
            await own.cluster.must('metaserver', 'add', name, `127.0.0.1:${port}`, `data/${name}`);
            const { metaservers } = await own.cluster.status();
            assert.equal(metaservers.find((each) => each.name === name)?.state, 'up', `${name}, by the first status`);
          }
          await program.untilRounds(2);
          assert.deepEqual((await voters(before + ADDED.length)).slice(-ADDED.length), ADDED);
          await killLeading('meta9');
          await program.untilRounds(2);
          await voters(before + ADDED.length);
          assert.deepEqual((await program.finish()).problems, []);
        } finally {
          await program.kill();
        }
        await own.cluster.stop();
        own.cluster = await Cluster.resume(own.cluster.folder);
        await voters(before + ADDED.length);
        await killLeading('meta8');
        assert.equal((await own.cluster.shell('echo kept > kept && cat kept')).stdout, 'kept\n');
      });
    });
  }

  it('are followed when the only one before them stands still, also where nobody has asked for the status', async () => {
    const cluster = await Cluster.start({ servers: 1 });
    const first = await cluster.pidOf('meta1');
    try {
      for (const [at, port] of (await freePorts(ADDED.length)).entries()) {
        const name = ADDED[at] ?? assert.fail();
        await cluster.must('metaserver', 'add', name, `127.0.0.1:${port}`, `data/${name}`);
      }
      process.kill(first, 'SIGSTOP');
      assert.equal((await cluster.shell('echo kept > kept && cat kept')).stdout, 'kept\n');
    } finally {
      process.kill(first, 'SIGCONT');
      await cluster.destroy();
    }
  });

  it('must fit the configuration, and stay out of it where they do not', async () => {
    const cluster = await Cluster.start({ servers: 1 });
    try {
      const configured = await readFile(cluster.configFile, 'utf8');
      for (const [parameters, reason] of [
        [['meta1', '127.0.0.1:1', 'data/other'], /meta1/],
        [['meta2', 'nowhere', 'data/meta2'], /address/],
        [['meta2', '127.0.0.1:1', 'data/meta1'], /directory/],
      ] as const) {
        const { status, stderr } = await cluster.command('metaserver', 'add', ...parameters);
        assert.notEqual(status, 0);
        assert.match(stderr, reason);
      }
      assert.equal(await readFile(cluster.configFile, 'utf8'), configured);
    } finally {
      await cluster.destroy();
    }
  });
});
