// The supervisor's parts with real processes: a child that crashes, restarts
// and terminates, the lock, the leftovers, the logs.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { configTemplate } from '../../../src/cli/config-template.js';
import { identify } from '../../../src/cli/locks/process-identity.js';
import { ServerChild } from '../../../src/cli/supervisor/child.js';
import { isLocked, lockInstance, waitForLeftovers } from '../../../src/cli/supervisor/instance.js';
import { Logs } from '../../../src/cli/supervisor/logs.js';
import { parseConfig } from '../../../src/config.js';

/** A server that does as its arguments and its starts so far say, without any of ours. */
const SCRIPT = `
const { appendFileSync, readFileSync } = require('node:fs');
const [file, ...behaviours] = process.argv.slice(1).filter((argument) => argument !== '--blank');
appendFileSync(file, process.argv.includes('--blank') ? 'b' : 's');
const behaviour = behaviours[Math.min(readFileSync(file, 'utf8').length, behaviours.length) - 1];
if (behaviour.startsWith('exit')) process.exit(Number(behaviour.slice(4)));
process.on('message', ({ kind }) => {
  if (kind === 'go') process.send({ kind: 'ready' });
  if (kind === 'go' && behaviour.startsWith('later')) setTimeout(() => process.exit(Number(behaviour.slice(5))), 50);
  if (kind === 'stop') process.exit(0);
});
process.send({ kind: 'loaded' });
`;

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe('the supervisor', () => {
  let folder = '';
  let children: ServerChild[] = [];
  let events: string[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nmrfs-supervisor-'));
    children = [];
    events = [];
  });
  afterEach(async () => {
    await Promise.all(children.map((child) => child.stop()));
    await rm(folder, { recursive: true, force: true });
  });

  function child(...behaviours: string[]): ServerChild {
    const made = new ServerChild(
      {
        name: 'data1',
        parameters: ['-e', SCRIPT, join(folder, 'starts'), ...behaviours],
        environment: {},
        stopDeadlineMs: 5000,
      },
      {
        output: (_, stream: Readable) => stream.resume(),
        event: (_, event) => events.push(event),
        changed: () => {},
      },
    );
    children.push(made);
    return made;
  }

  const starts = (): Promise<string> => readFile(join(folder, 'starts'), 'utf8');

  it('keeps a loaded server waiting until it is let go', async () => {
    const server = child('good');
    server.start();
    await until(async () => (await starts().catch(() => '')) !== '');
    assert.equal(server.status.state, 'starting');
    server.release();
    await server.ready();
    assert.equal(server.status.state, 'up');
  });

  it('starts a crashed server again, and says so', async () => {
    const server = child('exit1', 'exit3', 'good');
    server.release();
    server.start();
    await server.ready();
    assert.equal(await starts(), 'sss');
    assert.deepEqual(events, ['server.crashed', 'server.crashed']);
  });

  it('starts a server again that was killed', async () => {
    const server = child('first', 'second');
    server.release();
    server.start();
    await server.ready();
    const { processId } = server.status;
    assert.ok(processId !== null);
    process.kill(processId, 'SIGKILL');
    await until(() => server.status.state !== 'up');
    await server.ready();
    assert.equal(await starts(), 'ss');
  });

  it('leaves a server that was terminated, until it is restarted', async () => {
    const server = child('later86', 'good');
    server.release();
    server.start();
    await until(() => server.status.state === 'terminated');
    assert.equal(server.status.processId, null);
    await server.restart(false);
    assert.equal(server.status.state, 'up');
    assert.equal(await starts(), 'ss');
  });

  it('stops a server for good, after the restart that was asked for before', async () => {
    const server = child('good');
    server.release();
    server.start();
    await server.ready();
    const restarting = server.restart(false);
    await server.retire();
    await restarting;
    assert.deepEqual(server.status, { name: 'data1', state: 'stopped', processId: null });
    assert.equal(await starts(), 'ss');
  });

  it('ends a server as a crash would, and leaves it so, also one that hangs or has ended', async () => {
    const server = child('good');
    server.release();
    server.start();
    await server.ready();
    const { processId } = server.status;
    assert.ok(processId !== null);
    process.kill(processId, 'SIGSTOP');
    await server.terminate();
    assert.deepEqual(server.status, { ...server.status, state: 'terminated', processId: null });
    assert.throws(() => process.kill(processId, 0), { code: 'ESRCH' });
    await server.terminate();
    await server.restart(false);
    assert.equal(server.status.state, 'up');
    assert.equal(await starts(), 'ss');
  });

  it('stops a server where it is, lets it go on, and ends one that was stopped in order', async () => {
    const server = child('good');
    server.release();
    server.start();
    await server.ready();
    const { processId } = server.status;
    const state = async () => (await readFile(`/proc/${processId}/stat`, 'utf8')).split(') ')[1]?.[0];
    server.hold(true);
    await until(async () => (await state()) === 'T');
    server.hold(false);
    await until(async () => (await state()) !== 'T');
    server.hold(true);
    await server.stop();
    assert.ok(!events.includes('server.killed'));
    assert.throws(() => server.hold(true), { code: 'FAILED' });
  });

  it('gives a server that asks for it a new process, wiped if it asks for that', async () => {
    const server = child('later87', 'later88', 'good');
    server.release();
    server.start();
    await until(async () => (await starts().catch(() => '')) === 'ssb');
    await until(() => server.status.state === 'up');
  });

  it('wipes again when the process that was to wipe crashed before it served', async () => {
    const server = child('good', 'exit1', 'good', 'good');
    server.release();
    server.start();
    await server.ready();
    await server.restart(true);
    assert.equal(await starts(), 'sbb');
    await server.restart(false);
    assert.equal(await starts(), 'sbbs');
  });

  it('carries out restarts one after the other', async () => {
    const server = child('good');
    server.release();
    server.start();
    await server.ready();
    await Promise.all([server.restart(false), server.restart(true)]);
    assert.equal(await starts(), 'ssb');
  });

  it('does not wait long for a hanging server that is restarted', async () => {
    const server = child('first', 'second');
    server.release();
    server.start();
    await server.ready();
    process.kill(server.status.processId ?? 0, 'SIGSTOP');
    await server.restart(false);
    assert.deepEqual(events, ['server.killed']);
    assert.equal(server.status.state, 'up');
  });

  it('tells whoever waits for a server that can not serve', async () => {
    const server = child('exit1');
    server.release();
    server.start();
    await assert.rejects(server.ready(), /data1 is not up: it ended with 1/);
  });

  it('has a run directory for itself, until its process ends', async () => {
    const config = parseConfig(configTemplate({ dataServers: 1, basePort: 7600 }), join(folder, 'nmrfs.yaml'));
    const lock = await lockInstance(config);
    assert.equal(await isLocked(config), true);
    await assert.rejects(
      lockInstance(config),
      /already running from .* \(nmrfs up, process \d+ on host .*\); "nmrfs down" stops it/,
    );
    assert.equal((await stat(config.runDirectory)).mode & 0o777, 0o700);
    lock.release();
    assert.equal(await isLocked(config), false);
  });

  it('waits for servers that a killed supervisor has left, and kills those that stay', async () => {
    const stays = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    const ended = once(stays, 'exit');
    const identity = await identify('data1', stays.pid ?? 0);
    assert.ok(identity !== undefined);
    // The same id with another start is another process, which must be left alone.
    const other = { ...identity, name: 'data2', startTicks: '1' };
    const record = { processId: 1, address: '', secret: '', mountDirectory: '', children: [identity, other] };
    assert.deepEqual(await waitForLeftovers(record, 100), ['data1']);
    assert.deepEqual(await ended, [null, 'SIGKILL']);
    assert.deepEqual(await waitForLeftovers(record, 100), []);
  });

  it('keeps the lines of a server in its log and shows its warnings', async () => {
    const shown: unknown[] = [];
    const logs = new Logs(folder, 'info', (name, line) => shown.push([name, line.event]));
    const stream = new PassThrough();
    logs.follow('data1', stream);
    stream.end('{"level":"info","event":"quiet"}\n{"level":"warn","event":"loud"}\n{broken\nTypeError: x\n');
    await until(async () => (await readFile(join(folder, 'data1.log'), 'utf8').catch(() => '')).includes('TypeError'));
    logs.write('supervisor', 'debug', 'unheard', {});
    logs.close();
    assert.deepEqual(shown, [
      ['data1', 'loud'],
      ['data1', 'process.output'],
      ['data1', 'process.output'],
    ]);
    const lines = (await readFile(join(folder, 'data1.log'), 'utf8')).trim().split('\n');
    assert.equal(lines.length, 4);
    assert.ok(lines.every((line) => typeof JSON.parse(line) === 'object'));
    await assert.rejects(readFile(join(folder, 'supervisor.log')));
  });

  it('loses lines, and nothing else, when the disk of the logs takes none, and says how many once it does', async () => {
    const shown: unknown[] = [];
    const logs = new Logs(folder, 'info', (name, line) => shown.push([name, line.event]));
    // Whoever opens it for writing is told that the disk is full.
    await symlink('/dev/full', join(folder, 'data1.log'));
    for (let line = 0; line < 3; line++) logs.write('data1', 'info', 'lost', {});
    assert.deepEqual(shown, [['data1', 'log.lines_lost']]);
    logs.close();
    await rm(join(folder, 'data1.log'));
    logs.write('data1', 'info', 'kept', {});
    logs.close();
    const lines = (await readFile(join(folder, 'data1.log'), 'utf8')).trim().split('\n');
    const events = lines.map((line) => JSON.parse(line) as { event: string; lines?: number });
    assert.deepEqual(
      events.map((line) => [line.event, line.lines]),
      [
        ['log.lines_lost', 3],
        ['kept', undefined],
      ],
    );
  });

  it('does not let a log grow for ever', async () => {
    await writeFile(join(folder, 'data1.log'), Buffer.alloc(16 * 1024 * 1024, 'x'));
    const logs = new Logs(folder, 'info', () => {});
    logs.write('data1', 'info', 'one', {});
    logs.write('data1', 'info', 'two', {});
    logs.close();
    assert.ok((await stat(join(folder, 'data1.log'))).size < 1000);
    assert.ok((await stat(join(folder, 'data1.log.1'))).size >= 16 * 1024 * 1024);
  });
});
