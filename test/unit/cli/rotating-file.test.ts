// What becomes of the lines of a log that has reached its size.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, rmdir, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { RotatingFile } from '../../../src/cli/rotating-file.js';

const ROTATE_BYTES = 16 * 1024 * 1024;
const LINE = '{"event":"something"}\n';

describe('a log file', () => {
  let folder: string;
  let path: string;
  let lost: string[];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nmrfs-rotating-'));
    path = join(folder, 'a.log');
    lost = [];
  });

  afterEach(() => rm(folder, { recursive: true }));

  const opened = () => new RotatingFile(path, (reason) => lost.push(reason));

  it('of its size becomes FILE.1', async () => {
    await writeFile(path, '');
    await truncate(path, ROTATE_BYTES);
    const file = opened();
    file.write(LINE);
    file.write(LINE);
    file.close();
    assert.equal((await stat(`${path}.1`)).size, ROTATE_BYTES + LINE.length);
    assert.equal(await readFile(path, 'utf8'), LINE);
  });

  it('that can not be renamed grows on, says why, and loses no line', async () => {
    const file = opened();
    file.write(LINE);
    await truncate(path, ROTATE_BYTES);
    await mkdir(`${path}.1`);
    file.close();
    for (let line = 0; line < 3; line++) file.write(LINE);
    const text = (await readFile(path)).subarray(ROTATE_BYTES).toString();
    assert.deepEqual(
      text.split('\n').map((line) => line && JSON.parse(line).event),
      ['something', 'log.not_rotated', 'something', 'something', ''],
    );
    assert.deepEqual(lost, []);
    file.close();
    await rmdir(`${path}.1`);
    // Opened anew, it is beyond its size at once.
    file.write(LINE);
    file.write(LINE);
    file.close();
    assert.equal(await readFile(path, 'utf8'), LINE);
  });
});
