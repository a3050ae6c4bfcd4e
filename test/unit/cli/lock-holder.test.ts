// Who has a lock, read from a file in which anything may stand.
import assert from 'node:assert/strict';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { describeHolder, readHolder, writeHolder } from '../../../src/cli/locks/lock-holder.js';

async function withFile(test: (path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'nmrfs-holder-'));
  try {
    await test(join(folder, 'lock'));
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe("a lock's file", () => {
  it('says who has the lock', () =>
    withFile(async (path) => {
      const file = await open(path, 'w');
      await writeHolder(file.fd, 'data1');
      await file.close();
      assert.match(await describeHolder(await readHolder(path), '/d'), new RegExp(`^data1, process ${process.pid} on`));
    }));

  for (const content of ['', 'null', '[]', '{"name":"data1"}', '{"name":', '7']) {
    it(`says nobody where it has ${JSON.stringify(content)}`, () =>
      withFile(async (path) => {
        await writeFile(path, content);
        assert.equal(await readHolder(path), undefined);
      }));
  }
});
