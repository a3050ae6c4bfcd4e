// A cluster that nobody harms has nothing to complain of: no log line at level warn or above, no dissent, no repair.
import assert from 'node:assert/strict';
import { open, readFile, rename, unlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { until } from '../support/cluster.js';
import { requireFuse } from '../support/require-fuse.js';
import { SecondMount } from '../support/second-mount.js';
import { troubleIn } from '../support/trouble.js';

const FILES = 100;
const LARGE_BYTES = 8 * 1024 * 1024;

describe('a healthy cluster with two mounts', function () {
  this.timeout(180_000);
  let second: SecondMount;

  before(async function () {
    requireFuse(this);
    second = await SecondMount.start();
  });

  after(async () => second?.destroy());

  /** Until what was removed is gone from all servers, with every audit and repair that came of it. */
  const untilCollected = () =>
    until('the removed files to be gone', async () => {
      const { dataservers } = await second.cluster.status();
      return dataservers.every(({ blocks }) => blocks === 0);
    });

  const work: [string, (here: string, there: string) => Promise<unknown>][] = [
    [
      'when files are removed while they are read',
      async (here) => {
        for (let number = 0; number < FILES; number++) {
          const path = join(here, `file-${number}`);
          await writeFile(path, `content ${number}`);
          const file = await open(path);
          await file.readFile();
          await unlink(path);
          await file.close();
        }
      },
    ],
    [
      'when files are replaced and removed through another mount',
      async (here, there) => {
        for (let number = 0; number < FILES; number++) {
          await writeFile(join(here, 'new'), `content ${number}`);
          const file = await open(join(here, 'new'));
          await rename(join(here, 'new'), join(here, 'old'));
          await until('the name', () => readFile(join(there, 'old')).then(Boolean, () => false));
          await utimes(join(there, 'old'), number, number);
          await file.readFile();
          await file.close();
        }
        await unlink(join(there, 'old'));
      },
    ],
    [
      'when a large file is written, read and cut meanwhile',
      async (here, there) => {
        const path = join(here, 'large');
        await writeFile(path, Buffer.alloc(LARGE_BYTES, 'x'));
        const file = await open(join(there, 'large'));
        for (let round = 0; round < 5; round++) {
          const reading = file.read(Buffer.alloc(LARGE_BYTES), 0, LARGE_BYTES, 0);
          await writeFile(path, Buffer.alloc(LARGE_BYTES / (round + 1), 'y'));
          await reading;
        }
        await unlink(path);
        await file.close();
      },
    ],
  ];
  for (const [when, run] of work) {
    it(`logs nothing and blames nobody ${when}`, async () => {
      const { cluster, folder } = second;
      await run(cluster.mountPoint, folder);
      await untilCollected();
      const { dataservers } = await cluster.status();
      assert.deepEqual(
        dataservers.map(({ dissents, repairs }) => [dissents, repairs]),
        dataservers.map(() => [0, 0]),
      );
      assert.deepEqual(await troubleIn(cluster.logFolder), []);
    });
  }
});
