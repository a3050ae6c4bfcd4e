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
});
