// overlayfs, which containers stand on, with its upper and work directories on
// a mount.
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { Cluster, run } from '../support/cluster.js';
import { requirePrograms } from '../support/programs.js';
import { requireFuse } from '../support/require-fuse.js';

describe('an overlay with its upper directory on a mount', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let lower: string;
  let merged: string;

  before(async function () {
    requireFuse(this);
    requirePrograms(this, 'unshare', 'chroot');
    cluster = await Cluster.start({ servers: 3 });
    lower = join(cluster.folder, 'lower');
    merged = join(cluster.folder, 'merged');
    await mkdir(lower);
    await mkdir(merged);
    for (const name of ['upper', 'work']) await mkdir(join(cluster.mountPoint, name));
    await mkdir(join(lower, 'folder'));
    await mkdir(join(lower, 'replaced'));
    await writeFile(join(lower, 'replaced', 'hidden'), 'hidden');
    await writeFile(join(lower, 'folder', 'inner'), 'inner');
    for (const name of ['changed', 'removed', 'renamed']) await writeFile(join(lower, name), name);
  });
  after(async () => {
    if (merged !== undefined) await run('umount', ['-l', merged], '/');
    await cluster?.destroy();
  });

  async function shell(command: string): Promise<string> {
    const { status, stdout, stderr } = await run('timeout', ['60', 'sh', '-ec', command], '/');
    assert.equal(status, 0, `${command}: ${stdout}${stderr}`);
    return stdout;
  }

  function mount(): Promise<string> {
    const { mountPoint } = cluster;
    const directories = `lowerdir=${lower},upperdir=${mountPoint}/upper,workdir=${mountPoint}/work`;
    return shell(`mount -t overlay overlay -o ${directories},redirect_dir=on ${merged}`);
  }

  const LISTING = 'find . -mindepth 1 | sort | tr "\\n" " "';

  it('can be written to, and holds what was changed, removed, replaced and renamed after another mount', async () => {
    await mount();
    await shell(`cd ${merged}
      echo more >> changed
      rm removed
      mv renamed new-name
      rm -r replaced; mkdir replaced; echo seen > replaced/seen
      mv folder moved
      mkdir made; ln new-name made/link
      python3 -c 'import os; os.setxattr("changed", "user.tag", b"kept")'`);
    const expected = './changed ./made ./made/link ./moved ./moved/inner ./new-name ./replaced ./replaced/seen ';
    assert.equal(await shell(`cd ${merged}; ${LISTING}`), expected);
    await shell(`umount ${merged}`);
    // What overlayfs left instead of the names that are gone.
    const { mountPoint } = cluster;
    assert.equal(await shell(`stat -c '%F %t:%T' ${mountPoint}/upper/removed`), 'character special file 0:0\n');
    assert.equal(await shell(`stat -c '%F %t:%T' ${mountPoint}/upper/renamed`), 'character special file 0:0\n');
    await mount();
    assert.equal(await shell(`cd ${merged}; ${LISTING}`), expected);
    assert.equal(await shell(`cd ${merged}; cat changed moved/inner made/link`), 'changedmore\ninnerrenamed');
    assert.equal(await shell(`stat -c %h ${merged}/new-name`), '2\n');
    await shell(`umount ${merged}`);
  });

  it('is a root in which programs run, as in a container', async () => {
    const root = join(cluster.folder, 'root');
    await shell(`mkdir -p ${root}; for name in bin lib lib64 sbin; do
      [ ! -L /$name ] || cp -P /$name ${root}/; [ -L /$name ] || [ ! -d /$name ] || mkdir ${root}/$name; done
      mkdir ${root}/usr ${root}/tmp ${root}/proc ${cluster.mountPoint}/upper2 ${cluster.mountPoint}/work2`);
    const output = await shell(`unshare --mount sh -ec '
      mount -t overlay overlay -o lowerdir=${root},upperdir=${cluster.mountPoint}/upper2,workdir=${cluster.mountPoint}/work2 ${merged}
      for name in usr lib lib64 bin; do [ -L /$name ] || [ ! -d /$name ] || mount --rbind /$name ${merged}/$name; done
      chroot ${merged} /bin/sh -ec "cd /tmp; mkdir project; cd project; seq 1000 > numbers; sort -r numbers > reverse; mv reverse numbers; tail -n 1 numbers; tar -cf ../all.tar .; cd ..; rm -r project; tar -tf all.tar | sort"'`);
    assert.equal(output, '1\n./\n./numbers\n');
    assert.equal(await shell(`ls ${cluster.mountPoint}/upper2/tmp`), 'all.tar\n');
  });
});
