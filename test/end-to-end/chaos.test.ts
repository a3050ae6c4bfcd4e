// A minute of chaos: metaservers, mediators and data servers on hosts of their own are killed, stopped, cut off, wiped and
// corrupted under programs, among them git, SQLite and tar. npm run chaos goes on for as long as you like.
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { before, describe, it } from 'mocha';
import { runChaos } from '../chaos/chaos-run.js';
import { requirePrograms } from '../support/programs.js';
import { requireFuse } from '../support/require-fuse.js';

const SEED = Number(process.env.NMRFS_CHAOS_SEED ?? (process.env.CI === 'true' ? randomInt(1, 2 ** 30) : 1));
const MINUTES = 1;

describe('three metaservers, two mediators and five data servers on hosts of their own', function () {
  // The last round of each program may meet the last faults.
  this.timeout(600_000);

  before(function () {
    requireFuse(this);
    requirePrograms(this, 'git', 'ip', 'nsenter', 'python3', 'tar');
  });

  it(`let no program fail under a minute of faults, and lose nothing (seed ${SEED})`, async () => {
    const lines: string[] = [];
    const options = { seed: SEED, minutes: MINUTES, protocol: 'raft', metaservers: 3 } as const;
    const { problems, registers, faults } = await runChaos({ ...options, onLine: (line) => lines.push(line) });
    assert.deepEqual(problems, [], lines.join('\n'));
    assert.ok(registers.operations > 500, `${registers.operations} operations`);
    assert.ok(Object.keys(faults).length > 3, lines.join('\n'));
  });
});
