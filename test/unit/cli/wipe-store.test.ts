// A metaserver's store that is wiped stays claimed.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { wipeClaimed } from '../../../src/cli/locks/claim-store.js';
import { lockDirectory } from '../../../src/cli/locks/directory-lock.js';

describe('a store that is wiped', () => {
  it('keeps its claim, and nothing else', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'nmrfs-wipe-'));
    try {
      const claim = await lockDirectory(directory, 'meta1');
      const [lockFile] = await readdir(directory);
      assert.ok(claim.outcome === 'locked' && lockFile !== undefined);
      const holder = await readFile(join(directory, lockFile), 'utf8');
      await mkdir(join(directory, 'log', 'deep'), { recursive: true });
      await writeFile(join(directory, 'log', 'deep', 'segment'), 'x');
      await writeFile(join(directory, 'rows.mdb'), 'x');
      await wipeClaimed({ name: 'meta1', address: '', directory });
      assert.deepEqual(await readdir(directory), [lockFile]);
      assert.equal(await readFile(join(directory, lockFile), 'utf8'), holder);
      assert.equal((await lockDirectory(directory, 'other')).outcome, 'taken');
      claim.lock.release();
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
