// The lock of a folder, in this process: what it needs of the disk, who gets
// it, and who must not inherit it.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { type DirectoryLock, isDirectoryLocked, lockDirectory } from '../../../src/cli/locks/directory-lock.js';
import { run } from '../../support/cluster.js';

describe('the lock of a folder', () => {
  let folder = '';
  let mounts: string[] = [];
  let locks: DirectoryLock[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nmrfs-lock-'));
    mounts = [];
    locks = [];
  });
  afterEach(async () => {
    for (const lock of locks) lock.release();
    for (const directory of mounts) assert.equal((await run('umount', [directory], '/')).status, 0);
    await rm(folder, { recursive: true, force: true });
  });

  async function take(directory: string): Promise<DirectoryLock> {
    const result = await lockDirectory(directory, 'test');
    assert.ok(result.outcome === 'locked', JSON.stringify(result));
    locks.push(result.lock);
    return result.lock;
  }

  async function release(lock: DirectoryLock): Promise<void> {
    locks = locks.filter((other) => other !== lock);
    lock.release();
  }

  async function holder(directory: string): Promise<string> {
    const result = await lockDirectory(directory, 'other');
    assert.ok(result.outcome === 'taken');
    return result.holder;
  }

  /** A file system of its own. */
  async function mountTmpfs(options: string): Promise<string> {
    const directory = join(folder, 'disk');
    await mkdir(directory);
    const { status, stderr } = await run('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', directory], '/');
    assert.equal(status, 0, stderr);
    mounts.push(directory);
    return directory;
  }

  it('is for one, who is named to the others, until it is released', async () => {
    const store = join(folder, 'a', 'store');
    assert.equal(await isDirectoryLocked(store), false);
    const lock = await take(store);
    assert.equal(await isDirectoryLocked(store), true);
    assert.match(await holder(store), new RegExp(`^test, process ${process.pid} on host`));
    await release(lock);
    assert.equal(await isDirectoryLocked(store), false);
    await take(store);
  });

  it('is inherited by no child of its owner', async () => {
    const lock = await take(join(folder, 'store'));
    const { stdout } = await run('ls', ['-l', '/proc/self/fd'], '/');
    assert.match(stdout, / 0 -> /);
    assert.doesNotMatch(stdout, /nmrfs-lock-/);
    await release(lock);
  });

  it('is not given to a second one after its file was made anew', async () => {
    const store = join(folder, 'store');
    await take(store);
    await rm(join(store, 'nmrfs.lock'));
    await writeFile(join(store, 'nmrfs.lock'), '');
    assert.match(await holder(store), /has not said who it is; "fuser -v/);
  });

  describe('needs no room', () => {
    beforeEach(function () {
      if (process.getuid?.() !== 0) {
        process.stdout.write('skipped: mounting needs root\n');
        // CI runs as root.
        this.skip();
      }
    });

    it('on a disk that has become read-only', async () => {
      const disk = await mountTmpfs('mode=755');
      const store = join(disk, 'store');
      await release(await take(store));
      assert.equal((await run('mount', ['-o', 'remount,ro', disk], '/')).status, 0);
      await take(store);
      assert.equal(await isDirectoryLocked(store), true);
      await holder(store);
    });

    it('on a read-only disk where its file was never made', async () => {
      const disk = await mountTmpfs('mode=755');
      await mkdir(join(disk, 'store'), { mode: 0o700 });
      assert.equal((await run('mount', ['-o', 'remount,ro', disk], '/')).status, 0);
      await take(join(disk, 'store'));
      await holder(join(disk, 'store'));
    });

    it('on a disk that has none left for another file', async () => {
      // Inodes: the root's, the folder's, and one that is taken.
      const disk = await mountTmpfs('mode=755,nr_inodes=3');
      const store = join(disk, 'store');
      await mkdir(store, { mode: 0o700 });
      await writeFile(join(store, 'last'), '');
      await take(store);
      assert.deepEqual(await readdir(store), ['last']);
      await holder(store);
    });
  });
});
