// The metaserver on a disk that is full, or takes no writes: reads go on, removals too where they can, changes are refused
// at once with the reason, and all goes on by itself when the disk is well again.
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { Cluster, type Outcome, until } from '../support/cluster.js';
import { requireFuse } from '../support/require-fuse.js';
import { SmallDisk } from '../support/small-disk.js';

/** A change that has to wait for a metaserver that is not there takes far longer. */
const AT_ONCE_MS = 10_000;
const DISK_MEBIBYTES = 20;

async function withSmallDisk(
  test: (cluster: Cluster, disk: SmallDisk) => Promise<void>,
  metaservers = 1,
): Promise<void> {
  let disk: SmallDisk | undefined;
  let made = '';
  let cluster: Cluster | undefined;
  try {
    cluster = await Cluster.start({
      servers: 1,
      metaservers,
      prepare: async (folder) => {
        made = folder;
        disk = await SmallDisk.mount(join(folder, 'data/meta1'), DISK_MEBIBYTES);
      },
    });
    assert.ok(disk);
    await test(cluster, disk);
  } finally {
    await cluster?.stop();
    await disk?.unmount();
    await cluster?.destroy();
    // A start that fails can't remove what is mounted.
    await rm(made, { recursive: true, force: true });
  }
}

async function refusedAtOnce(change: Promise<Outcome>, message: RegExp): Promise<void> {
  const startMs = performance.now();
  const { status, stderr } = await change;
  assert.notEqual(status, 0);
  assert.match(stderr, message);
  assert.ok(performance.now() - startMs < AT_ONCE_MS, `${performance.now() - startMs} ms`);
}

async function goesOn(cluster: Cluster, line: string): Promise<string> {
  const { status, stdout, stderr } = await cluster.shell(line);
  assert.equal(status, 0, `${line}: ${stderr}`);
  return stdout;
}

async function metaserverTrouble(cluster: Cluster): Promise<string | null> {
  const { metaservers } = await cluster.status();
  return metaservers[0]?.trouble ?? null;
}

async function takesRoomAgain(cluster: Cluster, line: string): Promise<void> {
  await until('room', async () => (await cluster.shell(line)).status === 0);
}

/** The metaserver looks for room ten times a second while it has none. */
async function takesChanges(cluster: Cluster, line: string): Promise<void> {
  await takesRoomAgain(cluster, line);
  assert.equal(await metaserverTrouble(cluster), null);
}

async function killMetaserver(cluster: Cluster): Promise<void> {
  const pid = await cluster.pidOf('meta1');
  process.kill(pid, 'SIGKILL');
  await until('another metaserver', async () => (await cluster.pidOf('meta1').catch(() => pid)) !== pid);
}

const BEFORE =
  'mkdir old && for n in 1 2 3; do echo content $n > old/$n; done && mkdir gone && touch gone/a gone/b && head -c 300000 /dev/zero > long && sync .';

describe("the metaserver's disk", function () {
  this.timeout(180_000);

  before(function () {
    requireFuse(this);
  });

  it('full: reads and removals go on, over a crash too, changes get ENOSPC at once, and status names it', () =>
    withSmallDisk(async (cluster, disk) => {
      await goesOn(cluster, BEFORE);
      const pid = await cluster.pidOf('meta1');
      await disk.fill();
      await until('the first refusal', async () => {
        // It had taken some room before. The mediator answers changes by what it has heard of room within the last 25 ms, so
        // that status may know of a full disk before it does.
        const { stderr } = await cluster.shell('mkdir -p gone/$RANDOM');
        return stderr.includes('No space left on device');
      });
      assert.equal(await metaserverTrouble(cluster), 'full');
      for (const change of [
        'mkdir new',
        'echo x > new',
        'ln old/1 new',
        'mv old/1 new',
        'setfattr -n user.a -v b old/1',
      ]) {
        await refusedAtOnce(cluster.shell(change), /No space left on device/);
      }
      const read = async () => {
        assert.equal(await goesOn(cluster, 'cat old/1 old/2 && ls old'), 'content 1\ncontent 2\n1\n2\n3\n');
      };
      await read();
      await goesOn(cluster, 'rm gone/a && truncate -s 5 old/3 && chmod 600 old/2 && sync .');
      assert.equal(await metaserverTrouble(cluster), 'full');
      assert.match(await cluster.must('status'), /meta1 .*up, full/);
      assert.match(await cluster.must('status'), /writes are refused: meta1 is full/);
      assert.equal(await cluster.pidOf('meta1'), pid, 'no crash');
      await killMetaserver(cluster);
      await read();
      await refusedAtOnce(cluster.shell('mkdir new'), /No space left on device/);
      await goesOn(cluster, 'rm -r gone long && sync .');
      await disk.drain();
      await takesChanges(cluster, 'mkdir -p new && echo y > new/file && sync . && cat new/file');
    }));

  it('filled by names and by others: all names can be removed', () =>
    withSmallDisk(async (cluster, disk) => {
      await goesOn(cluster, 'mkdir $(seq -f %0200g 300) && sync .');
      await disk.fill();
      let rounds = 0;
      await until('no room for names', async () => {
        // How many go into the room that was taken ahead depends on when it is looked for more.
        const { stderr } = await cluster.shell(`mkdir $(seq -f more-${rounds++}-%0180g 100)`);
        return stderr.includes('No space left on device');
      });
      await goesOn(cluster, 'find . -mindepth 1 -delete && sync .');
      assert.equal(await goesOn(cluster, 'ls | wc -l'), '0\n');
      assert.equal(await metaserverTrouble(cluster), 'full');
      await disk.drain();
      await takesChanges(cluster, 'mkdir again && sync .');
    }));

  it('turned read-only: reads go on, changes get EROFS at once, what was answered is read, and no fsync vouches for it', () =>
    withSmallDisk(async (cluster, disk) => {
      await goesOn(cluster, BEFORE);
      const pid = await cluster.pidOf('meta1');
      await disk.turnReadOnly();
      await cluster.shell('mkdir answered');
      await until('read-only', async () => (await metaserverTrouble(cluster)) === 'read-only');
      await refusedAtOnce(cluster.shell('mkdir new'), /Read-only file system/);
      await refusedAtOnce(cluster.shell('rm old/1'), /Read-only file system/);
      assert.equal(await goesOn(cluster, 'cat old/1 && ls'), 'content 1\nanswered\ngone\nlong\nold\n');
      await refusedAtOnce(cluster.shell('sync .'), /Input\/output error/);
      assert.match(await cluster.must('status'), /meta1 .*up, read-only/);
      assert.equal(await cluster.pidOf('meta1'), pid, 'no crash');
      await killMetaserver(cluster);
      // The mediator has kept what was answered.
      assert.equal(await goesOn(cluster, 'cat old/1 && ls'), 'content 1\nanswered\ngone\nlong\nold\n');
      await refusedAtOnce(cluster.shell('mkdir new'), /Read-only file system/);
    }));

  it('read-only at the start: reads are answered, and changes as soon as it takes them', () =>
    withSmallDisk(async (cluster, disk) => {
      await goesOn(cluster, BEFORE);
      await cluster.stop();
      await disk.remount('ro');
      const again = await Cluster.resume(cluster.folder);
      try {
        assert.equal(await goesOn(again, 'cat old/1 && ls'), 'content 1\ngone\nlong\nold\n');
        await refusedAtOnce(again.shell('mkdir new'), /Read-only file system/);
        assert.equal(await metaserverTrouble(again), 'read-only');
        await disk.remount('rw');
        await until('a change', async () => (await again.shell('mkdir -p new')).status === 0);
        await goesOn(again, 'rm -r gone && sync .');
        assert.equal(await metaserverTrouble(again), null);
      } finally {
        await again.stop();
      }
    }));

  it('full under the leader of three: one that has room leads, and changes are taken', () =>
    withSmallDisk(async (cluster, disk) => {
      await cluster.must('metaserver', 'transfer', 'meta1');
      await goesOn(cluster, BEFORE);
      await disk.fill();
      await until('another leader', async () => {
        const { metaservers } = await cluster.status();
        return metaservers.some(({ name, isServing }) => isServing && name !== 'meta1');
      });
      await takesRoomAgain(cluster, 'touch new');
      await goesOn(cluster, 'for n in $(seq 200); do echo $n > new-$n; done && sync new-200 && rm -r gone long');
    }, 3));
});
