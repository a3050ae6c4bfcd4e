// The catalog's commands, with real processes: the shell and its scripts, servers that come, stop and are taken out, and one that is killed.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { CatalogProcesses } from '../../support/catalog-processes.js';
import { until } from '../../support/cluster.js';

describe('the commands of the catalog', function () {
  this.timeout(60_000);
  let catalog: CatalogProcesses;

  before(async () => {
    catalog = await CatalogProcesses.start(3, ['protocol: primary-backup', 'logLevel: warn']);
  });

  after(() => catalog?.remove());

  it('a script makes, changes and shows paths, at any server', async () => {
    const { status, stdout, stderr } = await catalog.shell(
      catalog.server('c').address,
      '# what a beginner tries',
      'create /a "two words"',
      'create /a/b',
      'set /a three 1',
      'get /a',
      'list /',
      'remove /a/b',
      'members',
      'status',
      'help',
    );
    assert.equal(status, 0, stderr);
    assert.match(
      stdout,
      /^version 1\nversion 1\nversion 2\nthree {2}\(version 2\)\na\nremoved\na {2}\S+ {2}leader\nb /,
    );
    assert.match(stdout, /unless the network splits/);
  });

  it('a script stops at the first command that fails, and says where', async () => {
    const { status, stdout, stderr } = await catalog.shell(catalog.addresses, 'get /a', 'get /nothing', 'get /a');
    assert.equal(status, 1);
    assert.equal(stdout, 'three  (version 2)\n');
    assert.match(stderr, /script\.txt:2: \/nothing is not there/);
    assert.equal((await catalog.shell(catalog.addresses, 'gte /a')).status, 2);
    for (const path of ['/../stop', '/a/./b', 'a', '/a//b']) {
      const outcome = await catalog.shell(catalog.addresses, `create ${path}`);
      assert.equal(outcome.status, 1);
      assert.match(outcome.stderr, /BAD_PATH: ".*" is no path/);
    }
    assert.equal((await catalog.shell(catalog.addresses, 'get /a')).status, 0, 'all are there');
    assert.equal((await catalog.command('shell', '127.0.0.1')).status, 2);
  });

  it('the chaos monkey finds nothing wrong', async () => {
    const { status, stdout, stderr } = await catalog.command(
      'chaos',
      catalog.configFile,
      '--minutes',
      '0.05',
      '--seed',
      '7',
    );
    assert.equal(status, 0, `${stdout}${stderr}`);
    assert.match(stdout, /crash \w[\s\S]*back: \w[\s\S]*verdict: everything held/);
  });

  it('a new server comes with one address, and the shell with one as well', async () => {
    const { address } = await catalog.join('d', catalog.server('a').address);
    await until('it counts', async () => {
      const { stdout } = await catalog.shell(address, 'members');
      return /d {2}\S+ {2}follower/.test(stdout);
    });
    assert.match((await catalog.shell(address, 'get /a')).stdout, /three/);
  });

  it('the shell goes on when the primary is killed', async () => {
    await catalog.kill('a');
    const { status, stdout, stderr } = await catalog.shell(catalog.addresses, 'set /a four', 'get /a');
    assert.equal(status, 0, stderr);
    assert.match(stdout, /four {2}\(version 3\)/);
    await catalog.startAll();
  });

  it('a server stops in order, and is taken out', async () => {
    const { address } = catalog.server('b');
    const stopped = await catalog.command('stop', address);
    assert.equal(stopped.status, 0, stopped.stderr);
    await catalog.kill('b');
    const removed = await catalog.command('remove', catalog.server('c').address, 'b');
    assert.equal(removed.status, 0, removed.stderr);
    const { stdout } = await catalog.shell(catalog.server('c').address, 'members', 'get /a');
    assert.doesNotMatch(stdout, /^b /m);
    assert.match(stdout, /four/);
  });

  it('says in one line that a store is of another cluster, and where it is', async () => {
    await catalog.kill('c');
    const other = join(catalog.folder, 'other.yaml');
    await writeFile(other, `cluster: other\n${await readFile(catalog.configFile, 'utf8')}`);
    const { status, stderr } = await catalog.command('serve', other, 'c');
    assert.equal(status, 1);
    assert.match(stderr, /^[^\n]*the store in \/[^\n]*\/c is of cluster catalog, and the configuration says other\n$/);
    await catalog.startAll();
  });

  it('says what is wrong with what it was given', async () => {
    for (const [parameters, status, found] of [
      [['serve', 'nowhere.yaml', 'a'], 2, /there is no such file/],
      [['serve', catalog.configFile, '9'], 2, /9: there is no such server/],
      [['serve', catalog.configFile, 'c'], 1, /another process serves c from there/],
      [['join', catalog.server('c').address, 'c', '127.0.0.1:1', 'x'], 2, /c is at .* already/],
      [['join', catalog.server('c').address, 'e', '127.0.0.1:1'], 2, /a directory is needed/],
      [['join', catalog.server('c').address, 'e', '10.0.0.1:1', 'x'], 2, /NMRFS_SECRET/],
    ] as const) {
      const outcome = await catalog.command(...parameters);
      assert.equal(outcome.status, status, `${parameters.join(' ')}: ${outcome.stderr}`);
      assert.match(outcome.stderr, found);
    }
  });
});
