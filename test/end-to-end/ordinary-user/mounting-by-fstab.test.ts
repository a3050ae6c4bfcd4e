// mount(8), umount(8) and lines as in /etc/fstab, through the helper that
// `nmrfs install-mount-helper` puts into /sbin, for as long as the tests run.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, afterEach, before, describe, it } from 'mocha';
import { Cluster, type Outcome, run } from '../../support/cluster.js';
import { openDevice, requireFusermount, USER_ID, userFolder } from '../../support/ordinary-user.js';
import { requireFuse } from '../../support/require-fuse.js';

const COMMAND = fileURLToPath(new URL('../../../bundle/cli/main.js', import.meta.url));
const HELPER = '/sbin/mount.fuse.nmrfs';

describe('mounting by mount(8)', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let mountPoint: string;
  let mediator: string;
  let helperBefore: string | undefined;

  before(async function () {
    requireFuse(this);
    helperBefore = await readFile(HELPER, 'utf8').catch(() => undefined);
    cluster = await Cluster.start({ servers: 1 });
    assert.equal((await cluster.shell('echo kept > a.txt')).status, 0);
    mediator = (await cluster.status()).mediator.address;
    mountPoint = join(cluster.folder, 'by mount');
    await mkdir(mountPoint);
    assert.equal((await helper()).status, 0);
  });
  afterEach(async () => {
    if (mountPoint !== undefined && (await mountLine())) await run('umount', ['-l', mountPoint], '/');
  });
  after(async () => {
    await rm(HELPER, { force: true });
    if (helperBefore !== undefined) await writeFile(HELPER, helperBefore, { mode: 0o755 });
    await cluster?.destroy();
  });

  function helper(...parameters: string[]): Promise<Outcome> {
    return run(process.execPath, [COMMAND, 'install-mount-helper', ...parameters], '/');
  }

  async function mountLine(): Promise<string | undefined> {
    const table = await readFile('/proc/mounts', 'utf8');
    return table.split('\n').find((line) => line.split(' ')[1] === mountPoint.replaceAll(' ', '\\040'));
  }

  /** As at boot: from the root, with next to no environment. */
  function mount(...parameters: string[]): Promise<Outcome> {
    // Logs go where they go away with the test.
    const environment = ['PATH=/usr/sbin:/usr/bin:/sbin:/bin', `XDG_STATE_HOME=${cluster.folder}`];
    return run('env', ['-i', ...environment, 'mount', ...parameters], '/');
  }

  async function must(outcome: Promise<Outcome>): Promise<string> {
    const { status, stdout, stderr } = await outcome;
    assert.equal(status, 0, stderr);
    return stdout;
  }

  it('takes the address of a mediator, and is ready when mount returns', async () => {
    await must(mount('-t', 'fuse.nmrfs', mediator, mountPoint, '-o', 'noexec,allow_other,default_permissions,_netdev'));
    assert.equal(await readFile(join(mountPoint, 'a.txt'), 'utf8'), 'kept\n');
    assert.match((await mountLine()) ?? '', new RegExp(`^${mediator} .* fuse\\.nmrfs rw,.*noexec,.*allow_other`));
    await writeFile(join(mountPoint, 'b.txt'), 'written\n');
    await must(run('umount', [mountPoint], '/'));
    assert.equal(await mountLine(), undefined);
    assert.equal((await cluster.shell('cat b.txt')).stdout, 'written\n');
  });

  it('takes a configuration file from a line of fstab, and the options that such lines have', async () => {
    const fstab = join(cluster.folder, 'fstab');
    const options = 'ro,user,noauto,nofail,_netdev,noexec,nosuid,x-systemd.automount,comment=a';
    const escaped = mountPoint.replaceAll(' ', '\\040');
    await writeFile(fstab, `${cluster.configFile} ${escaped} fuse.nmrfs ${options} 0 0\n`);
    await must(mount('-T', fstab, mountPoint));
    assert.equal(await readFile(join(mountPoint, 'a.txt'), 'utf8'), 'kept\n');
    await assert.rejects(writeFile(join(mountPoint, 'a.txt'), 'no'), { code: 'EROFS' });
    await must(mount('-o', 'remount,rw', mountPoint));
    await writeFile(join(mountPoint, 'c.txt'), 'after the remount\n');
    await must(run('umount', [mountPoint], '/'));
    assert.equal(await mountLine(), undefined);
  });

  it('lets an ordinary user mount and unmount what a line of fstab allows', async function () {
    requireFusermount(this);
    const closeDevice = openDevice();
    const folder = await userFolder('mnt');
    try {
      await writeFile(join(folder, 'fstab'), `${mediator} ${folder}/mnt fuse.nmrfs noauto,user,_netdev 0 0\n`);
      // Only root may name another fstab; in a mount namespace of its own this one lies over the real one.
      const script = [
        `set -e; mount --bind '${folder}/fstab' /etc/fstab; cd /`,
        `user="setpriv --reuid ${USER_ID} --regid ${USER_ID} --clear-groups"`,
        `$user mount ${folder}/mnt`,
        `$user cat ${folder}/mnt/a.txt`,
        `grep ${folder}/mnt /proc/mounts`,
        `$user umount ${folder}/mnt`,
        `! grep ${folder}/mnt /proc/mounts`,
      ];
      const outcome = await run('unshare', ['-m', 'bash', '--norc', '-c', script.join('\n')], '/');
      assert.equal(outcome.status, 0, outcome.stderr);
      assert.match(outcome.stdout, new RegExp(`^kept\n${mediator} .* fuse\\.nmrfs rw,.*user_id=${USER_ID}`));
    } finally {
      closeDevice();
      await rm(folder, { recursive: true });
    }
  });

  it('mounts with all others, once', async () => {
    const fstab = join(cluster.folder, 'fstab');
    await writeFile(fstab, `${mediator} ${mountPoint.replaceAll(' ', '\\040')} fuse.nmrfs defaults,_netdev 0 0\n`);
    await must(mount('-a', '-T', fstab));
    await must(mount('-a', '-T', fstab));
    assert.equal(await readFile(join(mountPoint, 'a.txt'), 'utf8'), 'kept\n');
    const again = await mount('-t', 'fuse.nmrfs', mediator, mountPoint);
    assert.equal(again.status, 32);
    assert.match(again.stderr, /already/);
  });

  it('names an unknown option, unless it is to tolerate them', async () => {
    const { status, stderr } = await mount('-t', 'fuse.nmrfs', mediator, mountPoint, '-o', 'ro,shiny');
    assert.equal(status, 1);
    assert.match(stderr, /^nmrfs: -o shiny: known options are ro, rw, noatime, /);
    await must(mount('-s', '-t', 'fuse.nmrfs', mediator, mountPoint, '-o', 'ro,shiny'));
    assert.match((await mountLine()) ?? '', / ro,/);
  });

  it('fails with 32 and the reason when nobody answers, and mounts nothing when it is told so', async () => {
    const { status, stderr } = await mount('-t', 'fuse.nmrfs', '127.0.0.1:1', mountPoint);
    assert.equal(status, 32);
    assert.match(stderr, /^nmrfs: the mediator at 127\.0\.0\.1:1 does not answer/);
    assert.equal((await mount('-t', 'fuse.nmrfs', '/nowhere/nmrfs.yaml', mountPoint)).status, 32);
    assert.equal((await mount('-t', 'fuse.nmrfs', mediator, join(mountPoint, 'nowhere'))).status, 32);
    await must(mount('-f', '-t', 'fuse.nmrfs', mediator, mountPoint));
    assert.equal(await mountLine(), undefined);
  });

  it('is installed once, leaves what others have put there, and is removed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nmrfs-sbin-'));
    try {
      const place = ['--directory', folder];
      assert.match((await helper(...place)).stdout, /: written; /);
      assert.match((await helper(...place)).stdout, / is there already\n$/);
      assert.match((await helper(...place, '--remove')).stdout, /: removed\n$/);
      assert.match((await helper(...place, '--remove')).stdout, / is not there\n$/);
      await writeFile(join(folder, 'mount.fuse.nmrfs'), '#!/bin/sh\n');
      for (const more of [[], ['--remove']]) {
        const { status, stderr } = await helper(...place, ...more);
        assert.equal(status, 1);
        assert.match(stderr, /not made by nmrfs; it stays as it is/);
      }
      assert.equal(await readFile(join(folder, 'mount.fuse.nmrfs'), 'utf8'), '#!/bin/sh\n');
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
