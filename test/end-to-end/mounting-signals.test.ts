// Signals: to the process that serves a mount, to programs that use it, and to
// the mediator behind it. Nothing that was written is lost, and no program
// becomes unkillable.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, afterEach, before, describe, it } from 'mocha';
import { Cluster, isAlive, run, until } from '../support/cluster.js';
import { requireFuse } from '../support/require-fuse.js';

const COMMAND = fileURLToPath(new URL('../../bundle/cli/main.js', import.meta.url));
/** A request that hangs is given up a second after the signal; the rest is for a busy machine. */
const KILLED_WITHIN_MS = 8000;

describe('signals around a mount', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let mountPoint: string;
  /** Processes that serve the mount, or served it. */
  const servers: number[] = [];

  before(async function () {
    requireFuse(this);
    cluster = await Cluster.start({ servers: 1 });
    assert.equal((await cluster.shell('echo kept > a.txt')).status, 0);
    mountPoint = join(cluster.folder, 'second');
    await mkdir(mountPoint);
  });
  afterEach(async () => {
    // What a test left that failed in the middle: perhaps one mount over another, and processes that nobody uses any more.
    while (mountPoint !== undefined && (await mounted())) await run('umount', ['-l', mountPoint], '/');
    for (const server of servers.splice(0)) if (isAlive(server)) process.kill(server, 'SIGKILL');
  });
  after(async () => {
    await cluster?.destroy();
  });

  async function mounted(): Promise<boolean> {
    return (await readFile('/proc/mounts', 'utf8')).includes(` ${mountPoint} `);
  }

  /** The process that serves the mount, once it can be used. */
  async function mount(where: 'foreground' | 'background'): Promise<number> {
    if (where === 'background') {
      await cluster.must('mount', mountPoint);
      const found = await run('pgrep', ['-f', `[m]ount ${mountPoint} --foreground`], '/');
      const pids = found.stdout
        .split('\n')
        .filter((pid) => pid !== '')
        .map(Number);
      servers.push(...pids);
      const [server] = pids;
      assert.ok(server !== undefined, 'a process serves the mount');
      return server;
    }
    const parameters = [COMMAND, 'mount', mountPoint, '--foreground', '--config', cluster.configFile];
    const child = spawn(process.execPath, parameters, { stdio: 'ignore' });
    if (child.pid !== undefined) servers.push(child.pid);
    await until('the mount', async () => (await cluster.shell(`cat ${mountPoint}/a.txt`)).status === 0);
    return child.pid ?? 0;
  }

  for (const where of ['foreground', 'background'] as const) {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      it(`${signal} in the ${where} stores what was written and unmounts, though the mount is in use`, async () => {
        const server = await mount(where);
        const file = await open(join(mountPoint, `${where}-${signal}`), 'w');
        try {
          await file.write('not closed yet\n');
          process.kill(server, signal);
          await until('the unmount', async () => !(await mounted()));
          await until('the end of the process', async () => !isAlive(server));
          await assert.rejects(file.write('too late'), { code: 'ENOTCONN' });
        } finally {
          await file.close().catch(() => {});
        }
        assert.equal((await cluster.shell(`cat ${where}-${signal}`)).stdout, 'not closed yet\n');
      });
    }
  }

  it('SIGTERM that comes as soon as the directory is mounted unmounts it', async () => {
    for (let time = 0; time < 3; time++) {
      const parameters = [COMMAND, 'mount', mountPoint, '--foreground', '--config', cluster.configFile];
      const child = spawn(process.execPath, parameters, { stdio: 'ignore' });
      if (child.pid !== undefined) servers.push(child.pid);
      const ended = once(child, 'exit');
      while (!(await mounted())) assert.equal(child.exitCode, null);
      child.kill('SIGTERM');
      assert.deepEqual(await ended, [0, null]);
      assert.equal(await mounted(), false);
    }
  });

  for (const clearing of ['umount', 'mount']) {
    it(`${clearing} clears what a killed client has left`, async () => {
      process.kill(await mount('background'), 'SIGKILL');
      const dead = async () => (await run('stat', [mountPoint], '/')).stderr.includes('not connected');
      await until('the dead mount', dead);
      await cluster.must(clearing, mountPoint);
      assert.equal(await mounted(), clearing === 'mount');
      if (clearing === 'mount') assert.equal(await readFile(join(mountPoint, 'a.txt'), 'utf8'), 'kept\n');
    });
  }

  describe('with a mediator that does not answer', () => {
    let mediator: number;

    before(async () => {
      await cluster.must('mount', mountPoint);
      const written = await cluster.shell(`cd ${mountPoint} && mkdir d && for i in 1 2 3 4 5; do echo $i > d/$i; done`);
      assert.equal(written.status, 0, written.stderr);
      await cluster.must('umount', mountPoint);
      mediator = await cluster.pidOf('mediator');
    });

    const programs = [
      'cat d/1',
      'ls -l d',
      'stat d/not-there',
      'echo x > d/2',
      'echo x > d/new',
      'mkdir d/made',
      'mv d/3 d/moved',
      'rm d/4',
      'touch d/5',
      'chmod 600 d/5',
      'ln -s x d/link',
      'df .',
      'dd if=/dev/zero of=d/1 bs=1M count=1 conv=fsync',
    ];
    /** The kernel looks names up first; with names that it trusts, the request that hangs is the change itself. */
    const changes = ['rm d/4', 'touch d/5', 'chmod 600 d/5', 'mv d/3 d/5', 'echo x > d/2', 'truncate -s 0 d/1'];
    const cases = [
      { signal: 'SIGKILL', trusted: false },
      { signal: 'SIGINT', trusted: false },
      { signal: 'SIGKILL', trusted: true },
      { signal: 'SIGINT', trusted: true },
    ] as const;
    for (const { signal, trusted } of cases) {
      it(`every ${trusted ? 'change' : 'program'} ends with ${signal}`, async () => {
        await cluster.must('mount', mountPoint, '-o', `attribute_timeout=${trusted ? 600_000 : 1000}`);
        if (trusted) await cluster.shell(`cd ${mountPoint}/d && touch 1 2 3 4 5 && stat 1 2 3 4 5`);
        const children = (trusted ? changes : programs).map(start);
        // The programs begin, and what the kernel trusts for a moment only is forgotten.
        await new Promise((resolve) => setTimeout(resolve, 1500));
        process.kill(mediator, 'SIGSTOP');
        try {
          for (const child of children) child.stdin?.end('go\n');
          await new Promise((resolve) => setTimeout(resolve, 1000));
          const hanging = children.filter(({ exitCode }) => exitCode === null);
          assert.ok(hanging.length >= children.length - 1, `only ${hanging.length} hang`);
          for (const child of hanging) process.kill(-(child.pid ?? 0), signal);
          const began = performance.now();
          const slow = await Promise.all(hanging.map((child) => endsWithin(child, KILLED_WITHIN_MS)));
          assert.deepEqual(
            slow.filter((program) => program !== undefined),
            [],
          );
          assert.ok(performance.now() - began < KILLED_WITHIN_MS);
        } finally {
          process.kill(mediator, 'SIGCONT');
        }
        await until('the mediator', async () => (await cluster.shell(`cat ${mountPoint}/a.txt`)).stdout === 'kept\n');
      });
    }
  });

  /** Begins when it is told: until then it stands in the mount, which takes an answer as well. */
  function start(program: string): ChildProcess {
    const script = `cd '${mountPoint}' && read -r go && exec 2> /dev/null && ${program}`;
    return spawn('bash', ['--norc', '-c', script], { cwd: '/', stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  }
});

/** The program, if it does not end in time. */
async function endsWithin(child: ChildProcess, limitMs: number): Promise<string | undefined> {
  if (child.exitCode !== null || child.signalCode !== null) return undefined;
  const timeout = new Promise<string>((resolve) =>
    setTimeout(() => resolve(child.spawnargs.join(' ')), limitMs).unref(),
  );
  return Promise.race([once(child, 'exit').then(() => undefined), timeout]);
}
