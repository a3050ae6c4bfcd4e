// What `nmrfs up` says and does when servers are not as they should be: real
// processes, three data servers, of which some have another cluster's store.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'mocha';
import { Cluster } from '../../support/cluster.js';
import { requireFuse } from '../../support/require-fuse.js';

const SERVERS = ['data1', 'data2', 'data3'] as const;

describe('nmrfs up with servers that can not be used', function () {
  this.timeout(180_000);
  let cluster: Cluster;
  const kept = new Map<string, string>();

  before(async function () {
    requireFuse(this);
    cluster = await Cluster.start({ servers: 3 });
    assert.equal((await cluster.shell('echo kept > a.txt')).status, 0);
    await cluster.stop();
    for (const name of SERVERS) kept.set(name, await readFile(identityFile(name), 'utf8'));
  });
  afterEach(async () => {
    await cluster.command('down');
    for (const [name, text] of kept) await writeFile(identityFile(name), text);
  });
  after(() => cluster?.destroy());

  function identityFile(name: string): string {
    return join(cluster.folder, 'data', name, 'store.json');
  }

  async function makeForeign(...names: string[]): Promise<void> {
    for (const name of names) {
      const identity = JSON.parse(kept.get(name) ?? '') as object;
      await writeFile(identityFile(name), JSON.stringify({ ...identity, clusterId: 'elsewhere' }));
    }
  }

  const isMounted = async () => (await readFile('/proc/mounts', 'utf8')).includes(` ${cluster.mountPoint} `);

  for (const how of [[], ['--detach']]) {
    it(`ends with 1 and says of each server what is wrong, when no read can work: up ${how.join('')}`, async () => {
      await makeForeign(...SERVERS);
      const { status, stdout, stderr } = await cluster.command('up', ...how);
      assert.equal(status, 1, stdout + stderr);
      assert.doesNotMatch(stdout, /is ready/);
      const said = stderr.slice(stderr.indexOf('nmrfs: '));
      assert.match(said, /^nmrfs: nothing can be read: 0 of 3 data servers are usable, 2 must agree \(Qr\)\n/);
      for (const name of SERVERS) {
        assert.match(said, new RegExp(`^ {2}${name} is down: its store belongs to cluster elsewhere, this is `, 'm'));
      }
      assert.equal(await isMounted(), false);
      assert.equal(await cluster.must('down'), 'nmrfs is not running\n');
    });
  }

  it('is ready, and says so, when reads work and writes do not', async () => {
    await makeForeign('data3');
    const stdout = await cluster.must('up', '--detach');
    assert.match(stdout, /^nmrfs is ready: /);
    assert.match(stdout, /^ {2}but data3 is down: its store belongs to cluster elsewhere, this is /m);
    assert.match(stdout, /^ {2}but writes fail: 2 of 3 data servers can be written to, 3 must be \(Qw\)$/m);
    assert.equal((await cluster.shell('cat a.txt')).stdout, 'kept\n');
  });

  it('says nothing of the kind when all is well', async () => {
    assert.doesNotMatch(await cluster.must('up', '--detach'), /^ {2}but /m);
  });
});

describe('nmrfs up with two mediators', function () {
  this.timeout(180_000);

  it('is ready with one of them, and says why the other one can not serve', async function () {
    requireFuse(this);
    const cluster = await Cluster.start({ servers: 1, mediators: 2 });
    const { mediators } = await cluster.status();
    await cluster.stop();
    const [, second] = mediators;
    assert.ok(second !== undefined);
    const other = createServer().listen(Number(second.address.split(':').at(-1)), '127.0.0.1');
    try {
      await once(other, 'listening');
      const stdout = await cluster.must('up', '--detach');
      assert.match(stdout, new RegExp(`^ {2}but ${second.name} .*address already in use`, 'm'));
      assert.equal((await cluster.shell('echo kept > a.txt && cat a.txt')).stdout, 'kept\n');
    } finally {
      await cluster.command('down');
      other.close();
      await cluster.destroy();
    }
  });
});
