// Random operations on a real mount, with and without faults: see
// test/random-files. npm run fsx runs as many of them as you like.
import assert from 'node:assert/strict';
import { before, describe, it } from 'mocha';
import { type ClusterRunOptions, runOnCluster } from '../random-files/cluster-run.js';
import { requirePrograms } from '../support/programs.js';
import { requireFuse } from '../support/require-fuse.js';

/** Each seed gets another kind of cluster: see test/random-files/shapes.ts. */
const RUNS: ClusterRunOptions[] = [
  { seed: 3, operations: 200, files: 1, workers: 1, mounts: 1, faults: false },
  { seed: 20, operations: 120, files: 4, workers: 1, mounts: 1, faults: true },
  { seed: 13, operations: 75, files: 3, workers: 2, mounts: 2, faults: true },
];

describe('random operations on a mount', function () {
  this.timeout(240_000);

  before(function () {
    requireFuse(this);
    requirePrograms(this, 'python3');
  });

  for (const options of RUNS) {
    const { seed, operations, files, workers, mounts, faults } = options;
    const title = `${operations} operations, files ${files}, workers ${workers}, mounts ${mounts}, seed ${seed}`;
    it(`leave what the model says: ${title}${faults ? ', with faults' : ''}`, async () => {
      assert.equal(await runOnCluster(options), operations * workers);
    });
  }

  it('tell how to repeat a run in which a file was changed behind their back', async () => {
    const options = { seed: 3, operations: 40, files: 1, workers: 1, mounts: 1, faults: false };
    const failing = runOnCluster({
      ...options,
      beforeStep: async (number, cluster) => {
        if (number === 30) assert.equal((await cluster.shell('echo else > w0/f0')).status, 0);
      },
    });
    await assert.rejects(failing, (error: Error) => {
      assert.match(error.message, /^seed 3, operation \d+: (wrong bytes|size)/);
      assert.match(error.message, /\nthe last operations on f0, open as /);
      assert.match(
        error.message,
        /\nagain: npm run fsx -- --seed 3 --operations \d+ --files 1 --workers 1 --mounts 1$/,
      );
      return true;
    });
  });
});
