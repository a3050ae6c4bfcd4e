// The scripts that tell the stories of README.md, on a system that holds files of its own.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'mocha';
import { Cluster, type Outcome, run } from '../support/cluster.js';
import { requireFuse } from '../support/require-fuse.js';

/** One of them may wait for a rebuild. */
const TIMEOUT_MS = 120_000;

describe('the scripts with faults', function () {
  this.timeout(240_000);
  let cluster: Cluster;

  before(async function () {
    requireFuse(this);
    cluster = await Cluster.start({ servers: 5, readQuorum: 3 });
    assert.equal(
      (await cluster.shell('for i in $(seq 30); do echo "file $i" > f$i; done; echo mine > a.txt')).status,
      0,
    );
    await cluster.untilEqual('data1', 'data2', 'data3', 'data4', 'data5');
  });

  after(async () => {
    await cluster?.destroy();
  });

  function script(name: string, ...parameters: string[]): Promise<Outcome> {
    const file = fileURLToPath(new URL(`../../tools/${name}.js`, import.meta.url));
    const all = [file, ...parameters, '--config', cluster.configFile];
    return run(process.execPath, all, cluster.folder, TIMEOUT_MS);
  }

  const everything = async () => (await cluster.shell('ls; cat *')).stdout;
  /** Keys of blocks that a script has printed. */
  const inodes = ({ stdout }: Outcome) => new Set([...stdout.matchAll(/'(\d+)\/\d+'/g)].map(([, inode]) => inode));

  for (const name of ['test_corrupt', 'test_restart', 'test_crash']) {
    it(`${name} shows the blocks of a file of its own only, and leaves nothing behind`, async () => {
      const found = await everything();
      const outcome = await script(name);
      assert.equal(outcome.status, 0, outcome.stdout + outcome.stderr);
      assert.equal(inodes(outcome).size, 1, outcome.stdout);
      assert.match(outcome.stdout, /and \d+ blocks of other files/);
      assert.equal(await everything(), found);
    });
  }

  it('take a file that is named, and leave it there', async () => {
    for (const name of ['data1', 'data2']) await cluster.must('restart', name);
    const { ino } = JSON.parse((await cluster.shell(`stat -c '{"ino":"%i"}' a.txt`)).stdout) as { ino: string };
    const outcome = await script('test_corrupt', 'data1,data1', 'a.txt');
    assert.equal(outcome.status, 0, outcome.stdout + outcome.stderr);
    assert.deepEqual([...inodes(outcome)], [ino]);
    assert.match((await cluster.shell('cat a.txt')).stdout, /^written at /);
  });

  it('say what is wrong when their file can not be made, and leave nothing behind', async () => {
    await cluster.must('terminate', 'data3');
    const found = await everything();
    const outcome = await script('test_corrupt');
    assert.equal(outcome.status, 1);
    assert.match(outcome.stderr, /^test_corrupt: .*test_corrupt-\d+\.txt can't be made: .*Input\/output error/);
    assert.match(outcome.stderr, /\nDown: data3\. To start them again: npx nmrfs restart data3\n$/);
    assert.equal(await everything(), found);
  });
});
