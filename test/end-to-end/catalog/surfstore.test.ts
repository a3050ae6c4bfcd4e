// SurfStore's own list of what servers must do, with real processes, asked by Python's xmlrpc.client.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'mocha';
import { freePorts, run } from '../../support/cluster.js';
import { SURFSTORE_TESTER } from './surfstore-tester.js';

const COMMAND = fileURLToPath(new URL('../../../bundle/cli/main.js', import.meta.url));
/** As the course has it. */
const ELECTION_LIMIT_S = 5;
const CATCH_UP_LIMIT_S = 5;

describe('SurfStore on the catalog', function () {
  this.timeout(180_000);

  for (const [servers, how] of [
    [3, 'crash'],
    [4, 'kill'],
    [5, 'crash'],
    [10, 'crash'],
  ] as const) {
    it(`${servers} servers elect, replicate, survive (${how}) and wait as they must`, async () => {
      const folder = await mkdtemp(join(tmpdir(), 'nmrfs-catalog-'));
      try {
        const ports = (await freePorts(servers)).map(String);
        const config = join(folder, 'myconfig.txt');
        const lines = ports.map((port, id) => `metadata${id}: localhost:${port}`);
        await writeFile(config, [`M: ${servers}`, ...lines, ''].join('\n'));
        const parameters = ['-c', SURFSTORE_TESTER, config, how, process.execPath, COMMAND, ...ports];
        const { status, stdout, stderr } = await run('python3', parameters, folder, 120_000);
        assert.equal(status, 0, stderr);
        const seen = JSON.parse(stdout) as Record<string, number>;
        assert(seen.elected !== undefined && seen.elected < ELECTION_LIMIT_S, stdout);
        assert(seen.slowest !== undefined && seen.slowest < ELECTION_LIMIT_S, stdout);
        if (how === 'crash') assert(seen.caughtUp !== undefined && seen.caughtUp < CATCH_UP_LIMIT_S, stdout);
        process.stdout.write(`    ${stdout}`);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  }
});
