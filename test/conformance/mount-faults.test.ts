// What a program at the mount sees when the service behind it fails or hangs,
// and how a mount ends.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { findMount } from '../../src/fuse-client/mounting/mount-table.js';
import { settle } from '../support/manual-clock.js';
import { MemoryMount } from '../support/memory-mount.js';
import { requireFuse } from '../support/require-fuse.js';
import { shell, succeed } from '../support/shell.js';
import { mountCases } from './mount-cases.js';

describe('a mount whose service fails', () => {
  for (const binding of ['kernel', 'fuse-native'] as const) {
    describe(`the ${binding} binding`, () => {
      let mount: MemoryMount;

      before(async function () {
        requireFuse(this);
        mount = await MemoryMount.start(binding);
      });

      after(async () => {
        await mount?.done();
      });

      it('answers a failed write at the close with EIO, and the old content stays', async () => {
        await succeed('echo old > f', mount.directory);
        await mount.setFaults({ writes: 'EIO' });
        // cat looks at what close says; the shell itself does not.
        const { status, complaint } = await shell('cat > f <<< new', mount.directory);
        assert.notEqual(status, 0);
        assert.match(complaint, /Input\/output error/);
        await mount.setFaults({});
        assert.equal(await succeed('cat f', mount.directory), 'old\n');
      });

      it('tells a full service from a broken one', async () => {
        await mount.setFaults({ writes: 'ENOSPC' });
        const { complaint } = await shell('cp /bin/ls g', mount.directory);
        assert.match(complaint, /No space left/);
        await mount.setFaults({});
      });

      it('refuses to open for writing without a quorum, and nothing is destroyed', async () => {
        await succeed('echo old > h', mount.directory);
        await mount.setFaults({ openForWriting: 'EIO' });
        assert.match((await shell('echo new > h', mount.directory)).complaint, /Input\/output error/);
        assert.match((await shell('echo new > not-there', mount.directory)).complaint, /Input\/output error/);
        assert.equal(await succeed('cat h', mount.directory), 'old\n');
        await mount.setFaults({});
      });

      it('answers a failed read with EIO, and the next open asks again', async () => {
        await succeed('echo content > r', mount.directory);
        await mount.setFaults({ reads: 'EIO' });
        assert.match((await shell('cat r', mount.directory)).complaint, /Input\/output error/);
        await mount.setFaults({});
        assert.equal(await succeed('cat r', mount.directory), 'content\n');
      });

      it('stores what a shell writes over a file in one commit', async () => {
        await succeed('echo old > one', mount.directory);
        const before = (await mount.calls()).write ?? 0;
        await succeed('echo new > one', mount.directory);
        assert.equal((await mount.calls()).write, before + 1);
      });

      it('shows programs that have a file open the old content after a failed fsync', async () => {
        await succeed('echo old > s', mount.directory);
        const file = await open(join(mount.directory, 's'), 'r+');
        try {
          await mount.setFaults({ writes: 'EIO' });
          await file.write('new', 0);
          await assert.rejects(file.sync(), { code: 'EIO' });
          await mount.setFaults({});
          await file.sync();
        } finally {
          await file.close();
        }
        assert.equal(await readFile(join(mount.directory, 's'), 'latin1'), 'old\n');
      });
    });
  }
});

describe('a kernel mount', () => {
  before(function () {
    requireFuse(this);
  });

  it('lets a program be killed that waits for a service that hangs', async function () {
    this.timeout(20_000);
    const mount = await MemoryMount.start('kernel');
    try {
      await succeed('echo content > f', mount.directory);
      await mount.setFaults({ hang: ['read'] });
      const reader = spawn('cat', ['f'], { cwd: mount.directory, stdio: 'ignore' });
      await once(reader, 'spawn');
      const exit = once(reader, 'exit');
      while (((await mount.calls()).read ?? 0) === 0) await settle();
      reader.kill('SIGKILL');
      await exit;
    } finally {
      await mount.done();
    }
  });

  it('ends when somebody else unmounts it', async () => {
    const mount = await MemoryMount.start('kernel');
    try {
      await mount.unmountFromOutside();
      assert.equal(await findMount(mount.directory), undefined);
    } finally {
      await mount.done();
    }
  });

  it('is taken from programs that use it, with what they wrote stored', async function () {
    this.timeout(20_000);
    const mount = await MemoryMount.start('kernel');
    const user = spawn('sleep', ['60'], { cwd: mount.directory, stdio: 'ignore' });
    try {
      await once(user, 'spawn');
    } finally {
      await mount.done();
      user.kill('SIGKILL');
    }
    assert.equal(await findMount(mount.directory), undefined);
  });

  it('refuses a directory that is not there, with what mount said', async () => {
    await assert.rejects(MemoryMount.start('kernel', { directory: '/nowhere/at/all' } as object), /does not exist/);
  });

  it('that returns wrong bytes is noticed by the cases of the suite', async () => {
    const mount = await MemoryMount.start('kernel');
    try {
      await mount.setFaults({ lies: true });
      for (const name of ['echo > and >>, cat', 'grep -r finds', 'tar and untar give the same tree']) {
        const directory = await mkdtemp(join(mount.directory, 'case-'));
        const one = mountCases.find((candidate) => candidate.name === name);
        assert.ok(one);
        await assert.rejects(one.run(directory), name);
      }
    } finally {
      await mount.done();
    }
  });

  it('asks nobody for the capability of a file that has no extended attributes, and keeps long ones', async () => {
    const mount = await MemoryMount.start('kernel');
    try {
      await succeed('for n in $(seq 20); do echo $n >> f; done; chown 7 f; cat f > /dev/null', mount.directory);
      assert.equal((await mount.calls()).getxattr ?? 0, 0);
      await succeed(
        `python3 -c "import os; os.setxattr('f', 'user.long', bytes(65536)); assert os.getxattr('f', 'user.long') == bytes(65536)"`,
        mount.directory,
      );
    } finally {
      await mount.done();
    }
  });

  it('can be read-only', async () => {
    const mount = await MemoryMount.start('kernel', { readOnly: true });
    try {
      assert.match((await shell('touch f', mount.directory)).complaint, /Read-only/);
    } finally {
      await mount.done();
    }
  });
});
