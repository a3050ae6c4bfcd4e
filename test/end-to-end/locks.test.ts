// Locks of programs whose end the kernel does not tell of, or that are lost
// while the program goes on.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { until } from '../support/cluster.js';
import { Program } from '../support/program.js';
import { requireFuse } from '../support/require-fuse.js';
import { SecondMount } from '../support/second-mount.js';

/** linux/fcntl.h; Python has no name for it. */
const OFD_SETLK = 37;

describe('locks', function () {
  this.timeout(120_000);
  let second: SecondMount;
  const programs: Program[] = [];

  before(async function () {
    requireFuse(this);
    second = await SecondMount.start();
  });

  after(async () => {
    await Promise.all(programs.map((program) => program.end()));
    await second?.destroy();
  });

  function program(): Program {
    const started = new Program();
    programs.push(started);
    return started;
  }

  it('of an open file description live as long as it, whichever process has set them', async () => {
    await second.cluster.shell('echo > described');
    const lock = `fcntl.fcntl(f, ${OFD_SETLK}, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 10, 0))`;
    const open = async (folder: string) => {
      const started = program();
      await started.does('import struct');
      await started.does(`f = os.open("${folder}/described", os.O_RDWR)`);
      return started;
    };
    const other = await open(second.cluster.mountPoint);
    const isFree = async () => (await other.does(lock)) !== 'errno 11';
    const unlock = () => other.does(lock.replace('F_WRLCK', 'F_UNLCK'));

    const parent = await open(second.folder);
    const inChild = `if os.fork() == 0:\n try: ${lock}\n finally: os._exit(0)\nos.wait()`;
    await parent.does(`exec(${JSON.stringify(inChild)})`);
    assert.equal(await isFree(), false, 'the child has left it with its parent');
    await parent.does('os.close(f)');
    await until('the lock of a description that was closed', isFree);
    await unlock();

    const alone = await open(second.folder);
    assert.match(await alone.does(lock), /^b/);
    assert.equal(await isFree(), false);
    await alone.end();
    await until('the lock of a process that has ended', isFree);
  });

  it('that a mount lost while it was stopped make their descriptors fail until they are closed, and no others', async () => {
    const setOfd = `fcntl.fcntl(f, ${OFD_SETLK}, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))`;
    const locks = {
      fcntl: 'fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)',
      flock: 'fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)',
      ofd: setOfd,
      untouched: 'fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)',
    };
    const files = Object.entries(locks).map(([name, lock]) => ({ name, lock, holder: program(), other: program() }));
    const guarded = files.filter(({ name }) => name !== 'untouched');
    for (const { name, lock, holder, other } of files) {
      await second.cluster.shell(`printf before-before > ${name}`);
      for (const [each, folder] of [
        [holder, second.folder],
        [other, second.cluster.mountPoint],
      ] as const) {
        await each.does('import struct');
        await each.does(`f = os.open("${folder}/${name}", os.O_RDWR)`);
      }
      assert.doesNotMatch(await holder.does(lock), /errno/);
      assert.equal(await other.does(lock), 'errno 11');
    }
    const pid = await second.pid();
    for (const { holder } of files) assert.equal(await holder.does('os.pwrite(f, b"pending", 0)'), '7');
    process.kill(pid, 'SIGSTOP');
    const queued: Promise<string>[] = [];
    try {
      for (const { name, lock, other } of guarded) {
        await until(`the lock on ${name}`, async () => (await other.does(lock)) !== 'errno 11');
        assert.equal(await other.does('os.pwrite(f, b"of the other", 0)'), '12');
        assert.equal(await other.does('os.fsync(f)'), 'None');
      }
      // Given back: what the holder had read and written under its lock is as old as before.
      assert.equal(await guarded[0]?.other.does('fcntl.lockf(f, fcntl.LOCK_UN)'), 'None');
      queued.push(...files.map(({ holder }) => holder.does('os.fsync(f)')));
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    assert.deepEqual(await Promise.all(queued), ['errno 5', 'errno 5', 'errno 5', 'None']);
    for (const { name, lock, holder, other } of guarded) {
      for (const call of [
        'os.pwrite(f, b"late", 0)',
        'os.pread(f, 20, 0)',
        'os.fsync(f)',
        'os.ftruncate(f, 0)',
        lock,
      ]) {
        assert.equal(await holder.does(call), 'errno 5', `${name}: ${call}`);
      }
      await holder.does('os.close(f)');
      assert.equal(await other.does('os.pread(f, 20, 0)'), "b'of the othere'");
      await holder.does(`f = os.open("${second.folder}/${name}", os.O_RDWR)`);
      assert.equal(await holder.does('os.pread(f, 20, 0)'), "b'of the othere'", name);
      await other.does('os.close(f)');
      await until(`the lock on ${name} again`, async () => (await holder.does(lock)) !== 'errno 11');
      assert.equal(await holder.does('os.pwrite(f, b"it works", 0)'), '8');
      assert.equal(await holder.does('os.fsync(f)'), 'None');
    }
    const [untouched] = files.filter(({ name }) => name === 'untouched');
    assert.equal(await untouched?.other.does('os.pread(f, 20, 0)'), "b'pendingbefore'");
    assert.equal(
      await untouched?.other.does(locks.untouched),
      'errno 11',
      'a lock that nobody else wanted is had again',
    );
    assert.equal(await untouched?.holder.does('os.pwrite(f, b"works on", 0)'), '8');
  });
});
