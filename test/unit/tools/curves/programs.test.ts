import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { numbered } from '../../../../tools/curves/jobs.js';
import { Programs } from '../../../../tools/curves/programs/programs.js';

describe('measuring programs', () => {
  let folder: string;
  let programs: Programs;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nmrfs-programs-'));
    programs = new Programs(2);
  });

  afterEach(async () => {
    await programs.end();
    await rm(folder, { recursive: true, force: true });
  });

  it('make, look at, list, read and remove small files, each its own, and say how many all together', async () => {
    const paths = (program: number) => numbered(`${folder}/${program}/f`, 5);
    const both = async (kind: 'stat' | 'read' | 'unlink') =>
      (await programs.run([0, 1].map((program) => ({ kind, paths: paths(program) })))).amount;
    const made = await programs.run([0, 1].map((program) => ({ kind: 'create', bytes: 7, paths: paths(program) })));
    assert.equal(made.amount, 10);
    assert(made.seconds > 0);
    assert.equal(await readFile(join(folder, '1', 'f4'), 'utf8'), 'ccccccc');
    assert.equal(await both('stat'), 10);
    assert.equal(await both('read'), 10);
    const listed = await programs.run([{ kind: 'list', folder: join(folder, '0'), attributes: true }]);
    assert.equal(listed.amount, 5);
    assert.equal(await both('unlink'), 10);
    assert.deepEqual(await readdir(join(folder, '0')), []);
  });

  it('write and read large files, and synced pages', async () => {
    const large = { path: join(folder, 'large', 'file'), mebibytes: 2 };
    assert.equal((await programs.run([{ kind: 'write large', ...large }])).amount, 2.097152);
    assert.equal((await programs.run([{ kind: 'read large', ...large }])).amount, 2.097152);
    const synced = join(folder, 'synced', 'file');
    assert.equal((await programs.run([{ kind: 'sync', path: synced, count: 3 }])).amount, 3);
    assert.equal((await readFile(synced)).length, 3 * 4096);
    await programs.run([{ kind: 'remove', folder: join(folder, 'large') }]);
    assert(!existsSync(join(folder, 'large')));
  });

  it('say why they fail, and can go on', async () => {
    const missing = join(folder, 'missing');
    await assert.rejects(programs.run([{ kind: 'stat', paths: [missing] }]), /ENOENT/);
    assert.equal((await programs.run([{ kind: 'stat', paths: [folder] }])).amount, 1);
  });

  it('are gone when they have ended, and say so to whoever still asks', async () => {
    await programs.end();
    await assert.rejects(programs.run([{ kind: 'stat', paths: [folder] }]));
    await programs.end();
  });
});
