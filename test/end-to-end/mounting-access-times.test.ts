// What stat says after a read, on real mounts with noatime and with relatime.
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { Cluster, run, until } from '../support/cluster.js';
import { requireFuse } from '../support/require-fuse.js';

describe('access times of a mount', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let second: string;

  before(async function () {
    requireFuse(this);
    cluster = await Cluster.start({ servers: 1 });
    second = join(cluster.folder, 'second');
    await mkdir(second);
    await cluster.must('mount', second, '-o', 'relatime,attribute_timeout=0');
  });
  after(async () => {
    if (second !== undefined) await cluster.command('umount', second);
    await cluster?.destroy();
  });

  /** Access, modification and change time of a file, in seconds with fractions. */
  async function times(file: string): Promise<[string, string, string]> {
    const { stdout } = await run('stat', ['-c', '%.9X %.9Y %.9Z', file], '/');
    const [access = '', modify = '', change = ''] = stdout.trim().split(' ');
    return [access, modify, change];
  }

  it('stay as they are by default, and the mount says so', async () => {
    assert.equal((await cluster.shell('echo a > a.txt')).status, 0);
    const file = join(cluster.mountPoint, 'a.txt');
    const before = await times(file);
    await readFile(file);
    // The kernel asks anew after its timeout.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.deepEqual(await times(file), before);
    assert.match(await readFile('/proc/mounts', 'utf8'), new RegExp(` ${cluster.mountPoint} fuse\\.nmrfs rw,noatime,`));
  });

  it('and modification times may be far from now', async () => {
    // What `second` says has been to the mediator and back.
    for (const seconds of [
      '-11676096000',
      '10382083200',
      '253370764800',
      '-9223372036',
      '9223372037',
      `${2n ** 62n}`,
    ]) {
      const set = `touch far.txt && touch -d @${seconds}.25 far.txt && stat -c '%.2X %.2Y' far.txt`;
      assert.equal((await cluster.shell(set)).stdout, `${seconds}.25 ${seconds}.25\n`);
      const [access, modify] = await times(join(second, 'far.txt'));
      assert.deepEqual([access, modify], [`${seconds}.250000000`, `${seconds}.250000000`]);
    }
  });

  it('follow the first read after a change with relatime, and nothing else does', async () => {
    assert.equal((await cluster.shell('echo b > b.txt')).status, 0);
    const file = join(second, 'b.txt');
    for (const round of ['the first read', 'a read after a change']) {
      const before = await times(file);
      await readFile(file);
      await until(`the access time after ${round}`, async () => (await times(file))[0] > before[0]);
      const afterwards = await times(file);
      assert.deepEqual(afterwards.slice(1), before.slice(1), 'only the access time has moved');
      assert.ok(afterwards[0] > afterwards[2]);
      await readFile(file);
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.deepEqual(await times(file), afterwards, 'a second read moves nothing');
      assert.equal((await run('chmod', ['600', file], '/')).status, 0);
    }
  });

  it('can be set to any time', async () => {
    const file = join(second, 'c.txt');
    assert.equal((await run('touch', ['-a', '-d', '2001-02-03 04:05:06 UTC', file], '/')).status, 0);
    assert.equal((await times(file))[0], '981173106.000000000');
  });
});
