// The configuration file on disk: made, read, and changed key by key.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import {
  configValue,
  createConfigFile,
  loadConfig,
  removeServer,
  setConfigKey,
  withKey,
} from '../../../src/cli/config-file.js';
import { configTemplate } from '../../../src/cli/config-template.js';
import { ConfigError } from '../../../src/config.js';

const TEMPLATE = configTemplate({ dataServers: 5, basePort: 7600 });

describe('the configuration file on disk', () => {
  let folder = '';
  let file = '';

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nmrfs-config-'));
    file = join(folder, 'nmrfs.yaml');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('is never overwritten by init', async () => {
    await writeFile(file, 'mine');
    await assert.rejects(createConfigFile(file, TEMPLATE), ConfigError);
    assert.equal(await readFile(file, 'utf8'), 'mine');
  });

  it('is missed with a word on how to make it', async () => {
    await assert.rejects(loadConfig(file), /no such file; "nmrfs init" makes one/);
  });

  it('keeps every comment when a key is set', async () => {
    await createConfigFile(file, TEMPLATE);
    const config = await setConfigKey(file, 'readQuorum', '4');
    assert.equal(config.readQuorum, 4);
    assert.equal(await readFile(file, 'utf8'), TEMPLATE.replace('readQuorum: 3', 'readQuorum: 4'));
  });

  it('keeps its permissions when a key is set', async () => {
    await writeFile(file, TEMPLATE, { mode: 0o600 });
    await setConfigKey(file, 'audit', 'quorum');
    assert.equal((await stat(file)).mode & 0o777, 0o600);
  });

  it('stays as it was when the new value does not fit', async () => {
    await createConfigFile(file, TEMPLATE);
    await assert.rejects(setConfigKey(file, 'readQuorum', '9'), /readQuorum 9: must be a whole number from 1 to 5/);
    await assert.rejects(setConfigKey(file, 'readQorum', '4'), /did you mean readQuorum\?/);
    await assert.rejects(setConfigKey(file, 'dataservers[7].name', 'x'), /no such entry/);
    assert.equal(await readFile(file, 'utf8'), TEMPLATE);
  });

  it('sets keys of groups and of list entries, and keys that were left out', () => {
    assert.equal(withKey(TEMPLATE, 'mount.binding', 'kernel'), TEMPLATE.replace('binding: auto', 'binding: kernel'));
    assert.match(
      withKey(TEMPLATE, 'dataservers[1].directory', '/srv/two'),
      /name: data2\n.*\n {4}directory: \/srv\/two/,
    );
    assert.match(withKey('mediator:\n  address: a:1\n', 'mount.readOnly', 'true'), /mount:\n {2}readOnly: true/);
    assert.match(withKey('cluster: a\n', 'audit', 'quorum'), /cluster: a\naudit: quorum/);
  });

  it('keeps every comment when a server is taken out', async () => {
    const several = configTemplate({ dataServers: 3, metaservers: 3, basePort: 7600 });
    await createConfigFile(file, several);
    await removeServer(file, 'metaservers', 'meta2');
    const text = await readFile(file, 'utf8');
    const comments = (of: string) => of.match(/#.*/g);
    assert.deepEqual(comments(text), comments(several));
    const names = (await loadConfig(file)).metaservers.map(({ name }) => name);
    assert.deepEqual(names, ['meta1', 'meta3']);
    assert.equal((await loadConfig(file)).dataservers.length, 3);
  });

  it('stays as it was when there is no such server to take out, or no other one would be left', async () => {
    await createConfigFile(file, TEMPLATE);
    await assert.rejects(removeServer(file, 'metaservers', 'meta2'), /metaservers: meta2 is not there/);
    await assert.rejects(removeServer(file, 'metaservers', 'data1'), /metaservers: data1 is not there/);
    await assert.rejects(removeServer(file, 'metaservers', 'meta1'), ConfigError);
    assert.equal(await readFile(file, 'utf8'), TEMPLATE);
  });

  it('takes a value that is no YAML for a text', () => {
    assert.match(withKey(TEMPLATE, 'mediator.address', '[::1]:7600'), /address: "\[::1\]:7600"/);
    assert.match(withKey(TEMPLATE, 'secret', '*0123456789abcdef'), /secret: "\*0123456789abcdef"/);
    assert.match(withKey(TEMPLATE, 'secret', '1234567890123456'), /secret: "1234567890123456"/);
  });

  it('is missed with a word on what is there instead', async () => {
    await assert.rejects(loadConfig(folder), /: is a folder; --config names a file/);
  });

  it('tells the value of a key, defaults included', async () => {
    await createConfigFile(file, TEMPLATE);
    const config = await loadConfig(file);
    assert.equal(configValue(config, 'readQuorum'), 3);
    assert.equal(configValue(config, 'blockSize'), 131_072);
    assert.equal(configValue(config, 'mount.attributeTimeoutMs'), 'auto');
    assert.equal(configValue(config, 'dataservers.0.name'), 'data1');
    assert.throws(() => configValue(config, 'mount.bindings'), /did you mean binding\?/);
  });
});
