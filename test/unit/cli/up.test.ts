// `nmrfs up` and what belongs to it, with real processes and a real mount:
// one data server, since only starting and stopping is looked at here.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, afterEach, before, describe, it } from 'mocha';
import { loadConfig } from '../../../src/cli/config-file.js';
import { identify } from '../../../src/cli/locks/process-identity.js';
import { logName } from '../../../src/cli/mounting/mount-log.js';
import { readRecord, type SupervisorRecord } from '../../../src/cli/supervisor/instance.js';
import { SERVING_OPTIONS } from '../../../src/runtime/node/v8-options.js';
import { Cluster, type Outcome, run, until } from '../../support/cluster.js';
import { requireFuse } from '../../support/require-fuse.js';

const COMMAND = fileURLToPath(new URL('../../../bundle/cli/main.js', import.meta.url));

describe('nmrfs up', function () {
  this.timeout(120_000);
  let cluster: Cluster;

  before(async function () {
    requireFuse(this);
    cluster = await Cluster.start({ servers: 1 });
    assert.equal((await cluster.shell('echo kept > a.txt && sync a.txt')).status, 0);
  });
  after(async () => {
    await cluster?.command('down');
    await cluster?.destroy();
  });

  async function record(): Promise<SupervisorRecord> {
    const found = await readRecord(await loadConfig(cluster.configFile));
    assert.ok(found !== undefined);
    return found;
  }

  async function processOf(name: string): Promise<number> {
    return (await record()).children.find((child) => child.name === name)?.processId ?? 0;
  }

  async function mounted(directory = cluster.mountPoint): Promise<boolean> {
    return (await readFile('/proc/mounts', 'utf8')).includes(` ${directory} `);
  }

  async function gone(processes: readonly { name: string; processId: number; startTicks: string }[]): Promise<boolean> {
    const now = await Promise.all(processes.map(({ name, processId }) => identify(name, processId)));
    return now.every((found, index) => found?.startTicks !== processes[index]?.startTicks);
  }

  /** Whether the file is there; a mount that is dead just now can't even be a working directory. */
  async function readable(): Promise<boolean> {
    const outcome = await cluster.shell('cat a.txt').catch(() => undefined);
    return outcome?.stdout === 'kept\n';
  }

  async function ensureUp(): Promise<void> {
    if (!(await readable())) {
      await cluster.must('down');
      await resume();
    }
  }

  /** Running in the background: as the test before has left it, or started. */
  async function ensureDetached(): Promise<void> {
    if (!(await readable())) await cluster.must('up', '--detach');
  }

  /** A cluster that something ended is started again for the next test. */
  async function resume(): Promise<void> {
    cluster = await Cluster.resume(cluster.folder);
    assert.equal((await cluster.shell('cat a.txt')).stdout, 'kept\n');
  }

  it('says where it is mounted, N, Qr, Qw and three commands to try', () => {
    assert.match(
      cluster.printed,
      /nmrfs is ready: .*mnt \(kernel\), N 1, Qr 1, Qw 1, page http:\/\/127\.0\.0\.1:\d+\/\n/,
    );
    const tries = cluster.printed.split('try:\n')[1]?.split('\n').slice(0, 3) ?? [];
    assert.ok(tries.length === 3 && tries.every((line) => /^ {4}(echo|(npx )?nmrfs)/.test(line)), cluster.printed);
  });

  it("starts every server with V8's options for processes that serve", async () => {
    for (const name of ['meta1', 'data1', 'mediator']) {
      const words = (await readFile(`/proc/${await processOf(name)}/cmdline`, 'utf8')).split('\0');
      // Behind the name of the program, or the program itself would get them.
      assert.deepEqual(words.slice(1, 1 + SERVING_OPTIONS.length), SERVING_OPTIONS, name);
    }
  });

  it('lets data servers, and no others, take memory in huge pages', async () => {
    for (const [name, expected] of [
      ['data1', true],
      ['meta1', false],
      ['mediator', false],
    ] as const) {
      const environment = await readFile(`/proc/${await processOf(name)}/environ`, 'utf8');
      assert.equal(environment.includes('glibc.malloc.hugetlb=1'), expected, name);
    }
  });

  it('runs once per run directory', async () => {
    await ensureUp();
    const { status, stderr } = await cluster.command('up');
    assert.equal(status, 1);
    assert.match(stderr, /^nmrfs: already running from .*\n$/);
    assert.equal((await cluster.shell('cat a.txt')).stdout, 'kept\n');
  });

  it('starts a data server again that was killed', async () => {
    await ensureUp();
    const old = await processOf('data1');
    process.kill(old, 'SIGKILL');
    await until('a new data server', async () => ![0, old].includes(await processOf('data1')));
    await cluster.untilState('up');
    assert.equal((await cluster.shell('cat a.txt')).stdout, 'kept\n');
  });

  it('mounts again after the mediator was killed', async () => {
    await ensureUp();
    const old = await processOf('mediator');
    process.kill(old, 'SIGKILL');
    await until('a new mount', async () => {
      const mediator = await processOf('mediator');
      return ![0, old].includes(mediator) && (await readable());
    });
  });

  it('is followed by its servers when it is killed, which unmount', async () => {
    await ensureUp();
    const { processId, children } = await record();
    process.kill(processId, 'SIGKILL');
    await until('the end of all servers', () => gone(children));
    assert.equal(await mounted(), false);
    await resume();
  });

  it('clears a dead mount and dead sockets when everything was killed', async () => {
    await ensureUp();
    const { processId, children } = await record();
    const all = [processId, ...children.map((child) => child.processId)];
    // Stopped first: a server that sees the others go begins to end in order.
    for (const signal of ['SIGSTOP', 'SIGKILL'] as const) for (const each of all) process.kill(each, signal);
    await until('the end of all servers', () => gone(children));
    assert.equal(await mounted(), true);
    await resume();
  });

  it('leaves no process, mount or file of its own after the signal to stop', async () => {
    await ensureUp();
    const { children } = await record();
    await cluster.stop();
    assert.equal(await gone(children), true);
    assert.equal(await mounted(), false);
    assert.equal(existsSync(join(cluster.folder, 'run', 'supervisor.json')), false);
  });

  it('goes to the background with --detach, and is stopped by down', async () => {
    await cluster.must('down');
    const { status, stdout, stderr } = await cluster.command('up', '--detach');
    assert.equal(status, 0, stderr);
    assert.match(stdout, /nmrfs is ready/);
    assert.match(stdout, / stop: (npx )?nmrfs down/);
    assert.equal((await cluster.shell('cat a.txt')).stdout, 'kept\n');
    const { children } = await record();
    assert.equal((await cluster.command('up', '--detach')).status, 1);
    assert.equal(await cluster.must('down'), 'stopped\n');
    assert.equal(await gone(children), true);
    assert.equal(await mounted(), false);
    assert.equal(await cluster.must('down'), 'nmrfs is not running\n');
  });

  it('unmounts what is written and not yet flushed, and has it after the next start', async () => {
    await ensureDetached();
    assert.equal((await cluster.shell('for i in $(seq 200); do echo $i > n$i; done')).status, 0);
    await cluster.must('down');
    await cluster.must('up', '--detach');
    const { stdout } = await cluster.shell('cat $(seq -f n%g 200) | md5sum; seq 200 | md5sum');
    const [first, second] = stdout.trim().split('\n');
    assert.equal(first, second);
  });

  it('says why, when a server can not start', async () => {
    await ensureDetached();
    const other = join(cluster.folder, 'other');
    await mkdir(other);
    const text = (await readFile(cluster.configFile, 'utf8')).replace('runDirectory: run', 'runDirectory: other/run');
    await writeFile(join(cluster.folder, 'other.yaml'), text);
    const otherUp = (...more: string[]): Promise<Outcome> =>
      run(process.execPath, [COMMAND, 'up', '--config', join(cluster.folder, 'other.yaml'), ...more], cluster.folder);
    const sameMount = await otherUp();
    assert.equal(sameMount.status, 1);
    assert.match(sameMount.stderr, /^nmrfs: .*mnt: a running nmrfs is mounted there already; .*\n$/);
    const { status, stderr } = await otherUp('--mount', join(other, 'mnt'));
    assert.equal(status, 1);
    assert.match(
      stderr,
      /nmrfs: meta1 is not up: .*another process serves meta1 from there: meta1, process \d+ on host .*\n$/,
    );
    assert.equal((await cluster.shell('cat a.txt')).stdout, 'kept\n');
  });

  describe('beside it', () => {
    let servers: ChildProcess[] = [];

    afterEach(async () => {
      for (const server of servers) {
        if (server.exitCode === null) {
          server.kill('SIGTERM');
          await once(server, 'exit');
        }
      }
      servers = [];
      await cluster.command('umount', join(cluster.folder, 'second'));
    });

    it('the same file system is mounted a second time, and unmounted', async () => {
      await ensureDetached();
      const second = join(cluster.folder, 'second');
      await mkdir(second);
      const log = join(cluster.folder, 'run', 'logs', logName(second));
      await mkdir(join(cluster.folder, 'run', 'logs'), { recursive: true });
      await writeFile(log, `${'x'.repeat(16 * 1024 * 1024)}\n`);
      const said = await cluster.must('mount', second, '-o', 'ro,attribute_timeout=0');
      assert.equal(said, `${second}: mounted; log: ${log}\n`);
      assert.equal(await readFile(join(second, 'a.txt'), 'utf8'), 'kept\n');
      const { status, stderr } = await cluster.shell(`echo no > ${second}/b.txt`);
      assert.equal(status, 1);
      assert.match(stderr, /Read-only file system/);
      const again = await cluster.command('mount', second);
      assert.match(again.stderr, /a running nmrfs is mounted there already/);
      await cluster.must('umount', second);
      assert.equal(await mounted(second), false);
      const events = async () =>
        (await readFile(log, 'utf8')).split('\n').flatMap((line) => /"event":"([^"]+)"/.exec(line)?.[1] ?? []);
      await until('the last line of its log', async () => (await events()).includes('mount.ended'));
      // The full one was replaced.
      assert.ok((await stat(log)).size < 100_000);
      assert.ok((await stat(`${log}.1`)).size > 16 * 1024 * 1024);
    });

    it('servers run one by one, and a data server restarts really', async () => {
      await cluster.must('down');
      const serve = (...parameters: string[]): void => {
        const options = { cwd: cluster.folder, stdio: 'ignore' as const };
        servers.unshift(
          spawn(process.execPath, [COMMAND, 'serve', ...parameters, '--config', cluster.configFile], options),
        );
      };
      serve('meta');
      serve('data', '--id', 'data1');
      serve('mediator', '--mount', cluster.mountPoint);
      await until('the mount', () => mounted());
      await cluster.untilState('up');
      assert.equal((await cluster.shell('cat a.txt')).stdout, 'kept\n');
      await cluster.must('restart', 'data1');
      await until('the restarted server', async () => (await cluster.shell('cat a.txt')).stdout === 'kept\n');
      const dataserver = servers[1];
      assert.ok(dataserver !== undefined);
      const ended = once(dataserver, 'exit');
      // The mediator may still be about to notice the restart.
      await until('termination', async () => (await cluster.command('terminate', 'data1')).status === 0);
      assert.deepEqual(await ended, [86, null]);
    });
  });

  it('changes a setting at once and in the file', async () => {
    await ensureDetached();
    assert.match(await cluster.must('config', 'set', 'audit=quorum'), /audit: quorum \(in effect now\)/);
    assert.equal((await cluster.status()).audit, 'quorum');
    assert.match(await readFile(cluster.configFile, 'utf8'), /audit: quorum/);
    const refused = await cluster.command('config', 'set', 'readQuorum=2');
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /readQuorum 2: must be a whole number from 1 to 1/);
  });
});
