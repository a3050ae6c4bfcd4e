// The random operations themselves, in a plain directory: what the model says
// is what Linux does, and what a file should not have is noticed.
import assert from 'node:assert/strict';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, it } from 'mocha';
import { requirePrograms } from '../support/programs.js';
import { Difference, RandomFiles } from './random-files.js';

const OPERATIONS = 1500;
const BLOCK_BYTES = 16 * 1024;
const MAXIMUM_BYTES = 5 * BLOCK_BYTES + 777;

describe('random operations in a plain directory', function () {
  this.timeout(60_000);

  before(function () {
    requirePrograms(this, 'python3');
  });

  interface Choice {
    seed: number;
    files: number;
    spoil?: (number: number, directory: string) => Promise<void>;
  }

  /** Runs them; answers what they were. */
  async function runIn({ seed, files, spoil }: Choice): Promise<string[]> {
    const directory = await mkdtemp(join(tmpdir(), 'nmrfs-random-files-'));
    const lines: string[] = [];
    const randomFiles = new RandomFiles({
      seed,
      files,
      directory,
      blockSizeBytes: BLOCK_BYTES,
      maximumBytes: MAXIMUM_BYTES,
      direct: false,
      beforeStep: async (number) => spoil?.(number, directory),
      onLine: (line) => lines.push(line),
    });
    try {
      while (randomFiles.operations < OPERATIONS) await randomFiles.step();
      await randomFiles.compareAll();
      return lines;
    } finally {
      await randomFiles.end();
      await rm(directory, { recursive: true });
    }
  }

  for (const { seed, files } of [
    { seed: 1, files: 1 },
    { seed: 2, files: 4 },
  ]) {
    it(`leave what the model says: ${files} file${files === 1 ? '' : 's'}, seed ${seed}`, async () => {
      await runIn({ seed, files });
    });
  }

  it('are the same for the same seed, and others for another', async () => {
    const first = await runIn({ seed: 3, files: 2 });
    assert.deepEqual(await runIn({ seed: 3, files: 2 }), first);
    assert.notDeepEqual(await runIn({ seed: 4, files: 2 }), first);
  });

  it('notice a byte that was changed behind their back, and tell the last operations on its file', async () => {
    const spoil = async (number: number, directory: string) => {
      if (number !== OPERATIONS) return;
      const file = await open(join(directory, 'f0'), 'r+');
      await file.write('!', 0);
      await file.close();
    };
    await assert.rejects(runIn({ seed: 1, files: 1, spoil }), (error) => {
      assert.ok(error instanceof Difference);
      assert.match(error.message, /^operation 1500: f0: wrong bytes from 0 to 0\n {2}found {4}"!/);
      assert.match(error.message, /the last operations on f0, open as nothing:\n {2}\d+ /);
      return true;
    });
  });

  it('notice a name that is gone, and a refusal', async () => {
    const spoil = (number: number, directory: string) =>
      number === OPERATIONS / 2 ? rm(join(directory, 'f0')) : Promise.resolve();
    await assert.rejects(runIn({ seed: 5, files: 2, spoil }), Difference);
  });
});
