// Where the log of a mount in the background is, and files that rotate.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { configTemplate } from '../../../src/cli/config-template.js';
import { logFolders, logName, mountLogFile } from '../../../src/cli/mounting/mount-log.js';
import { RotatingFile } from '../../../src/cli/rotating-file.js';
import { parseConfig } from '../../../src/config.js';

describe('logs of mounts', () => {
  let folder = '';

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nmrfs-log-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const config = () => parseConfig(configTemplate({ dataServers: 1, basePort: 7600 }), join(folder, 'nmrfs.yaml'));

  it('have a name for each folder, which no server has', () => {
    const names = ['/mnt/a', '/mnt-a', '/mnt%2Da', '/mnt/a/b', `/mnt/${'x'.repeat(250)}`, `/mnt/${'y'.repeat(250)}`];
    assert.equal(new Set(names.map(logName)).size, names.length);
    assert.equal(logName('/srv/my-store'), 'mount@srv-my%2Dstore.log');
    assert.ok(names.every((name) => Buffer.byteLength(logName(name)) < 250));
  });

  it('are in the run directory, and without a configuration where logs of this user belong', async () => {
    assert.deepEqual(logFolders(config(), 0, {}), ['/var/log/nmrfs']);
    assert.deepEqual(logFolders(config(), 1000, { XDG_STATE_HOME: '/state' }), ['/state/nmrfs']);
    assert.match(logFolders(config(), 1000, {})[0] ?? '', /\/\.local\/state\/nmrfs$/);
    await writeFile(join(folder, 'nmrfs.yaml'), '');
    assert.equal(logFolders(config(), 0, {})[0], join(folder, 'nmrfs-data', 'run', 'logs'));
  });

  it('are never in the mount itself, which would wait for itself', async () => {
    await writeFile(join(folder, 'nmrfs.yaml'), '');
    const before = process.env.XDG_STATE_HOME;
    process.env.XDG_STATE_HOME = join(folder, 'state');
    try {
      const file = await mountLogFile(config(), join(folder, 'nmrfs-data'));
      assert.equal(file, join(folder, 'state', 'nmrfs', logName(join(folder, 'nmrfs-data'))));
      assert.equal(await mountLogFile(config(), folder), undefined);
    } finally {
      if (before === undefined) delete process.env.XDG_STATE_HOME;
      else process.env.XDG_STATE_HOME = before;
    }
  });

  it('say how many lines were lost while they could not be written', async () => {
    const file = new RotatingFile(join(folder, 'later', 'a.log'));
    file.write('one\n');
    file.write('two\n');
    await mkdir(join(folder, 'later'));
    file.write('three\n');
    file.close();
    const [loss, line] = (await readFile(join(folder, 'later', 'a.log'), 'utf8')).trim().split('\n');
    const { event, lines, reason } = JSON.parse(loss ?? '') as Record<string, unknown>;
    assert.deepEqual([event, lines, line], ['log.lines_lost', 2, 'three']);
    assert.match(String(reason), /ENOENT/);
  });
});
