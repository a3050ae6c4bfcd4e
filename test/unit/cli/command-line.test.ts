// The nmrfs command as a process: exit statuses and lines on stderr.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'mocha';
import { freePorts, type Outcome, run } from '../../support/cluster.js';

const COMMAND = fileURLToPath(new URL('../../../bundle/cli/main.js', import.meta.url));
const SUBCOMMANDS = [
  ['init'],
  ['up'],
  ['down'],
  ['mount'],
  ['umount'],
  ['serve'],
  ['status'],
  ['votes'],
  ['replay'],
  ['list-contents'],
  ['corrupt'],
  ['terminate'],
  ['restart'],
  ['scrub'],
  ['config'],
  ['config', 'get'],
  ['config', 'set'],
  ['metaserver'],
  ['metaserver', 'transfer'],
  ['metaserver', 'remove'],
];

describe('the nmrfs command', () => {
  let folder = '';
  /** Of the configuration that `init` makes, whose mediator is never there. */
  let basePort = 0;
  const nmrfs = (...parameters: string[]): Promise<Outcome> => run(process.execPath, [COMMAND, ...parameters], folder);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nmrfs-command-'));
    [basePort = 0] = await freePorts(1);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  for (const subcommand of SUBCOMMANDS) {
    it(`explains ${subcommand.join(' ')}`, async () => {
      const { status, stdout } = await nmrfs(...subcommand, '--help');
      assert.equal(status, 0);
      assert.match(stdout, new RegExp(`^Usage: nmrfs ${subcommand.join(' ')}`));
    });
  }

  it('tells its version', async () => {
    assert.match((await nmrfs('--version')).stdout, /^\d+\.\d+\.\d+\n$/);
  });

  it('refuses a recording that is too large for any page, before it reads it', async () => {
    const path = join(folder, 'huge.jsonl');
    await writeFile(path, '');
    await truncate(path, 500 * 1024 * 1024);
    const { status, stderr } = await nmrfs('replay', path);
    assert.equal(status, 1);
    assert.match(stderr, /huge\.jsonl: 500 MiB, and 256 MiB is the most that can be shown/);
  });

  it('refuses as a recording what is no file', async () => {
    const refusal = async (path: string) => (await nmrfs('replay', path)).stderr;
    assert.match(await refusal(join(folder, 'none.jsonl')), /none\.jsonl: there is no such file/);
    assert.match(await refusal(folder), /is no file/);
    assert.match(await refusal('/dev/zero'), /is no file/);
  });

  for (const [what, parameters] of [
    ['an unknown subcommand', ['explode']],
    ['an unknown option', ['status', '--loud']],
    ['a missing argument', ['votes']],
    ['an argument too many', ['down', 'now']],
    ['a kind of server that there is not', ['serve', 'cache']],
    ['a number of servers that does not fit', ['init', '--data-servers', '16']],
    ['a number of metaservers that does not fit', ['init', '--metaservers', '10']],
    ['corrupt without servers', ['corrupt', '/a.txt']],
    ['an empty name in a list', ['corrupt', '/a.txt', '--on', 'data1,']],
    ['a metaserver without a name', ['metaserver', 'remove']],
  ] as const) {
    it(`ends with 2 and one line for ${what}`, async () => {
      const { status, stdout, stderr } = await nmrfs(...parameters);
      assert.equal(status, 2, stderr);
      assert.equal(stdout, '');
      assert.match(stderr, /^error: .*\n(\(Did you mean .*\n)?$/);
    });
  }

  it('makes a configuration, once', async () => {
    const first = await nmrfs('init', 'made', '--data-servers', '3', '--base-port', String(basePort));
    assert.equal(first.status, 0, first.stderr);
    assert.match(first.stdout, /3 data servers, Qr 2, Qw 3\nReads survive 1 bad/);
    const second = await nmrfs('init', 'made');
    assert.equal(second.status, 1);
    assert.match(second.stderr, /^nmrfs: .*is there already; it stays as it is\n$/);
  });

  it('wipes no lone metaserver', async () => {
    const file = join(folder, 'made', 'nmrfs.yaml');
    const { status, stderr } = await nmrfs('serve', 'meta', '--blank', '--config', file);
    assert.equal(status, 1);
    assert.match(stderr, /^nmrfs: meta1: meta1 is the only metaserver: with its store all names would be lost\n$/);
  });

  it('makes one of several metaservers, and says what they survive', async () => {
    const made = await nmrfs('init', 'several', '--metaservers', '3');
    assert.equal(made.status, 0, made.stderr);
    assert.match(made.stdout, /Names and attributes survive the loss of 1 of 3 metaservers\.\n$/);
    const file = join(folder, 'several', 'nmrfs.yaml');
    const metaservers = await nmrfs('config', 'get', 'metaservers', '--config', file);
    const names = (JSON.parse(metaservers.stdout) as { name: string }[]).map(({ name }) => name);
    assert.deepEqual(names, ['meta1', 'meta2', 'meta3']);
    const set = await nmrfs('config', 'set', 'metadataProtocol=viewstamped', '--config', file);
    assert.equal(set.stdout, 'metadataProtocol: viewstamped (in effect from the next start)\n');
    const refused = await nmrfs('config', 'set', 'metadataProtocol=paxos', '--config', file);
    assert.match(refused.stderr, /must be one of raft, viewstamped/);
  });

  it('reads and changes the configuration while nothing runs', async () => {
    const file = join(folder, 'made', 'nmrfs.yaml');
    assert.equal((await nmrfs('config', 'get', 'readQuorum', '--config', file)).stdout, '2\n');
    const { stdout } = await nmrfs('config', 'set', 'readQuorum=3', '--config', file);
    assert.match(stdout, /^readQuorum: 3 \(in effect from the next start\)\nReads survive 0 /);
    assert.deepEqual(JSON.parse((await nmrfs('config', 'get', 'readQuorum', '--json', '--config', file)).stdout), {
      key: 'readQuorum',
      value: 3,
    });
    assert.equal((await nmrfs('config', 'set', 'readQuorum', '--config', file)).status, 2);
    const refused = await nmrfs('config', 'set', 'writeQuorum=0', '--config', file);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /^nmrfs: .*writeQuorum: 0 does not fit.*\n$/);
  });

  it('shows a secret only when it is asked for by name', async () => {
    const file = join(folder, 'made', 'with-secrets.yaml');
    const text = await readFile(join(folder, 'made', 'nmrfs.yaml'), 'utf8');
    const user = '{ name: nmrfs, password: of-etcd }';
    const etcd = `etcd: { endpoints: ["http://127.0.0.1:2379"], prefix: /nmrfs, user: ${user} }`;
    const changed = text.replace(
      /^metadataProtocol: .*$/m,
      `metadataProtocol: etcd\n${etcd}\nsecret: of-the-cluster-itself`,
    );
    await writeFile(file, changed);
    for (const key of [[], ['etcd'], ['etcd.user']]) {
      const { status, stdout } = await nmrfs('config', 'get', ...key, '--config', file);
      assert.equal(status, 0);
      assert.doesNotMatch(stdout, /of-etcd|of-the-cluster/);
      assert.match(stdout, /\(set\)/);
    }
    assert.equal((await nmrfs('config', 'get', 'etcd.user.password', '--config', file)).stdout, 'of-etcd\n');
    assert.equal((await nmrfs('config', 'get', 'secret', '--config', file)).stdout, 'of-the-cluster-itself\n');
  });

  it('knows the metaservers of the configuration', async () => {
    const file = join(folder, 'made', 'nmrfs.yaml');
    for (const command of ['transfer', 'remove']) {
      const { status, stderr } = await nmrfs('metaserver', command, 'meta7', '--config', file);
      assert.equal(status, 2);
      assert.equal(stderr, 'nmrfs: meta7: there is no such metaserver; there are meta1\n');
    }
  });

  it('ends with 1 and one line when nothing runs', async () => {
    const file = join(folder, 'made', 'nmrfs.yaml');
    for (const parameters of [
      ['status'],
      ['votes', '/a'],
      ['list-contents', 'data1'],
      ['scrub'],
      ['restart', 'data1'],
    ]) {
      const { status, stderr } = await nmrfs(...parameters, '--config', file);
      assert.equal(status, 1);
      assert.equal(stderr, `nmrfs: no mediator answers at 127.0.0.1:${basePort}; "nmrfs up" starts one\n`);
    }
    assert.equal((await nmrfs('down', '--config', file)).stdout, 'nmrfs is not running\n');
  });

  it('ends with 1 and one line without a configuration, or without a mount', async () => {
    assert.match((await nmrfs('status')).stderr, /^nmrfs: .*nmrfs\.yaml: there is no such file; .*\n$/);
    assert.match((await nmrfs('umount', folder)).stderr, /^nmrfs: .*: no nmrfs is mounted there\n$/);
  });

  it('ends with 1 and says what to do when there is no folder to mount at', async () => {
    const file = join(folder, 'made', 'nmrfs.yaml');
    const missing = join(folder, 'no where');
    for (const parameters of [
      ['mount', missing, '--config', file],
      ['mount', missing, '--mediator', '127.0.0.1:1'],
      ['serve', 'mediator', '--mount', missing, '--config', file],
    ]) {
      const { status, stderr } = await nmrfs(...parameters);
      assert.equal(status, 1, stderr);
      assert.equal(stderr, `nmrfs: ${missing}: there is no such folder; make it first: mkdir -p '${missing}'\n`);
    }
    for (const parameters of [
      ['mount', file, '--config', file],
      ['up', '--mount', file, '--config', file],
    ]) {
      const { status, stderr } = await nmrfs(...parameters);
      assert.equal(status, 1, stderr);
      assert.equal(stderr, `nmrfs: ${file}: is no folder\n`);
    }
  });
});
