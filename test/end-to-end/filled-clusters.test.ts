// What the curves of docs/performance.md fill below the mount is what programs see through it, and what servers vote for.
import assert from 'node:assert/strict';
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { BLOCKS_OF_A_FILE, FILLED_BLOCK_BYTES, fillBlocks, fillNames, makeDirectory } from '../../tools/curves/fill.js';
import { Services } from '../../tools/curves/services.js';
import { Cluster } from '../support/cluster.js';
import { requireFuse } from '../support/require-fuse.js';

const BLOCK_SIZE_BYTES = 4096;

describe('a cluster that was filled below its mount', function () {
  this.timeout(120_000);
  let cluster: Cluster;

  before(async function () {
    requireFuse(this);
    cluster = await Cluster.start({ servers: 3, extraConfig: 'blockSize: 4 KiB' });
    const services = await Services.connect(cluster.configFile);
    try {
      await fillNames(services, await makeDirectory(services, 'names'), 0, 300);
      await fillBlocks(services, await makeDirectory(services, 'blocks'), 0, 2);
      await services.sync();
    } finally {
      await services.close();
    }
  });

  after(async () => {
    await cluster?.destroy();
  });

  it('has the names', async () => {
    const names = await readdir(join(cluster.mountPoint, 'names'));
    assert.deepEqual(
      names.map(Number).sort((one, other) => one - other),
      Array.from({ length: 300 }, (_, number) => number),
    );
  });

  it('has the blocks, on all data servers, and each wins its vote', async () => {
    const path = join(cluster.mountPoint, 'blocks', '1');
    const { size } = await stat(path);
    assert.equal(size, (BLOCKS_OF_A_FILE - 1) * BLOCK_SIZE_BYTES + FILLED_BLOCK_BYTES);
    const file = await open(path);
    try {
      const page = Buffer.alloc(FILLED_BLOCK_BYTES);
      await file.read(page, 0, page.length, 7 * BLOCK_SIZE_BYTES);
      assert.match(page.toString(), /^(\d+\/7 )+/);
    } finally {
      await file.close();
    }
    const scrubbed = JSON.parse(await cluster.must('scrub', '--json')) as Record<string, number>;
    const { done, dissents, unreadable, orphansRemoved } = scrubbed;
    assert.deepEqual([done, dissents, unreadable, orphansRemoved], [2 * BLOCKS_OF_A_FILE, 0, 0, 0]);
  });

  it('can be changed through the mount', async () => {
    const outcome = await cluster.shell('echo more > names/more && rm names/7 && echo text > blocks/0 && cat blocks/0');
    assert.deepEqual([outcome.status, outcome.stdout], [0, 'text\n']);
  });
});
