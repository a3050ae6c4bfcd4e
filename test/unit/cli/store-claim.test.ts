// One process per store, with real processes: whatever a second one calls the
// folder, and whatever it shares with the first, it is refused and told why.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { freePorts, type Outcome, run, until } from '../../support/cluster.js';
import { runAsUser, USER_ID } from '../../support/ordinary-user.js';
import { requirePrograms } from '../../support/programs.js';

const COMMAND = fileURLToPath(new URL('../../../bundle/cli/main.js', import.meta.url));
/** The refused one has nothing to wait for. */
const REFUSAL_LIMIT_MS = 10_000;

describe('the store of a server', function () {
  this.timeout(60_000);
  let folder = '';
  let servers: ChildProcess[] = [];
  let mounts: string[] = [];

  beforeEach(async function () {
    if (process.getuid?.() !== 0) {
      process.stdout.write('skipped: namespaces and bind mounts need root\n');
      // CI runs as root.
      this.skip();
    }
    requirePrograms(this, 'unshare', 'setpriv', 'flock');
    folder = await mkdtemp(join(tmpdir(), 'nmrfs-store-'));
    servers = [];
    mounts = [];
  });
  afterEach(async () => {
    for (const server of servers) await end(server, 'SIGTERM');
    for (const directory of mounts) assert.equal((await run('umount', [directory], '/')).status, 0);
    await rm(folder, { recursive: true, force: true });
  });

  /** A configuration of its own ports and run directory, whose stores are below `stores`. */
  async function configFor(name: string, stores: string): Promise<string> {
    const [mediator, meta, data] = await freePorts(3);
    const file = join(folder, `${name}.yaml`);
    const server = (id: string, port: number | undefined) =>
      `[{ name: ${id}, address: "127.0.0.1:${port}", directory: ${join(stores, id)} }]`;
    const lines = [
      `mediator: { address: "127.0.0.1:${mediator}" }`,
      `metaservers: ${server('meta1', meta)}`,
      `dataservers: ${server('data1', data)}`,
      `runDirectory: ${name}-run`,
      `mount: { directory: ${name}-mnt }`,
    ];
    await writeFile(file, `${lines.join('\n')}\n`);
    return file;
  }

  /** Starts a server and waits until it serves. */
  async function serve(kind: 'meta' | 'data', config: string): Promise<ChildProcess> {
    const server = spawn(process.execPath, [COMMAND, 'serve', kind, '--config', config], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    servers.push(server);
    let said = '';
    for (const stream of [server.stdout, server.stderr]) stream?.on('data', (chunk) => (said += String(chunk)));
    await until('the server', async () => {
      if (server.exitCode !== null) throw new Error(`it ended with ${server.exitCode}: ${said}`);
      return said.includes('server.ready');
    });
    return server;
  }

  async function end(server: ChildProcess, signal: NodeJS.Signals): Promise<void> {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    server.kill(signal);
    await ended;
  }

  /** A second server, which should be refused; `around` is what starts it. */
  function refused(kind: 'meta' | 'data', config: string, ...around: string[]): Promise<Outcome> {
    const [file, ...parameters] = [...around, process.execPath, COMMAND, 'serve', kind, '--config', config];
    return run(file ?? '', parameters, folder, REFUSAL_LIMIT_MS);
  }

  /** The process that has the store: a data server is a child of the command. */
  function assertNames({ status, stderr }: Outcome, name: string, processId?: number): void {
    assert.equal(status, 1, stderr);
    const line =
      stderr
        .trim()
        .split('\n')
        .find((text) => text.includes('another process serves')) ?? '';
    const said = new RegExp(
      `another process serves ${name} from there: ${name}, process (\\d+)(?: of another pid namespace)? on host ${hostname()}, since \\d{4}-\\d\\d-\\d\\dT`,
    ).exec(line);
    assert.ok(said !== null, stderr);
    if (processId !== undefined) assert.equal(Number(said[1]), processId);
  }

  it('is refused to a second metaserver in another network namespace', async () => {
    const server = await serve('meta', await configFor('one', 'stores'));
    const outcome = await refused('meta', await configFor('two', 'stores'), 'unshare', '--net');
    assertNames(outcome, 'meta1', server.pid);
  });

  it('is refused to a second data server that reaches it by a bind mount, or a symbolic link', async () => {
    await serve('data', await configFor('one', 'stores'));
    const bound = join(folder, 'bound');
    await mkdir(bound);
    assert.equal((await run('mount', ['--bind', join(folder, 'stores'), bound], '/')).status, 0);
    mounts.push(bound);
    assertNames(await refused('data', await configFor('two', 'bound'), 'unshare', '--net'), 'data1');
    await symlink(join(folder, 'stores'), join(folder, 'linked'));
    assertNames(await refused('data', await configFor('three', 'linked')), 'data1');
  });

  it('is refused in another pid namespace, which is said', async () => {
    await serve('meta', await configFor('one', 'stores'));
    const outcome = await refused(
      'meta',
      await configFor('two', 'stores'),
      'unshare',
      '--net',
      '--pid',
      '--kill-child',
    );
    assertNames(outcome, 'meta1');
    assert.match(outcome.stderr, /of another pid namespace/);
  });

  it('is refused as well when somebody took the lock file for a stale one and removed it', async () => {
    await serve('meta', await configFor('one', 'stores'));
    await rm(join(folder, 'stores', 'meta1', 'nmrfs.lock'));
    const { status, stderr } = await refused('meta', await configFor('two', 'stores'));
    assert.equal(status, 1);
    assert.match(stderr, /another process serves meta1 from there/);
  });

  it('is free as soon as its server is gone, however it ended', async () => {
    const server = await serve('meta', await configFor('one', 'stores'));
    await end(server, 'SIGKILL');
    await serve('meta', await configFor('two', 'stores'));
  });

  it('can not be kept from its server by a user without rights', async () => {
    const store = join(folder, 'stores', 'meta1');
    await end(await serve('meta', await configFor('one', 'stores')), 'SIGTERM');
    assert.equal((await stat(store)).mode & 0o777, 0o700);
    assert.equal((await stat(join(store, 'nmrfs.lock'))).mode & 0o777, 0o600);
    // As an earlier version has made it: any user may open it, and lock what can be opened.
    for (const each of [folder, join(folder, 'stores'), store]) await run('chmod', ['755', each], '/');
    const identity = ['--reuid', String(USER_ID), '--regid', String(USER_ID), '--clear-groups'];
    const locker = spawn('setpriv', [...identity, 'flock', store, 'sh', '-c', 'echo locked; exec cat'], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    try {
      await once(locker.stdout, 'data');
      assert.notEqual((await runAsUser('/', 'flock', '-n', join(store, 'nmrfs.lock'), 'true')).status, 0);
      await serve('meta', await configFor('two', 'stores'));
    } finally {
      locker.stdin.end();
      await once(locker, 'exit');
    }
  });
});
