// The metaserver, or the mediator, is killed again and again under programs
// that change names: nothing fails, nothing is undone, and nothing is carried
// out twice.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'mocha';
import { ChangingProgram, type Seen } from '../support/changing-program.js';
import { run, until } from '../support/cluster.js';
import { requireFuse } from '../support/require-fuse.js';
import { SecondMount } from '../support/second-mount.js';

const KILLS = 6;
/** Rounds of changes between two kills. */
const ROUNDS_BETWEEN = 12;

describe('programs that change names while servers are killed', function () {
  this.timeout(240_000);
  let second: SecondMount;
  let program: ChangingProgram | undefined;

  before(async function () {
    requireFuse(this);
    second = await SecondMount.start();
  });

  afterEach(async () => {
    await program?.kill();
    program = undefined;
  });

  after(async () => {
    await second?.destroy();
  });

  async function killAgainAndAgain(server: string, working: ChangingProgram): Promise<Seen> {
    const { cluster } = second;
    for (let kill = 0; kill < KILLS; kill++) {
      await working.untilRounds(ROUNDS_BETWEEN);
      const pid = await cluster.pidOf(server);
      process.kill(pid, 'SIGKILL');
      await until(
        `${server} to be another process`,
        async () => (await cluster.pidOf(server).catch(() => pid)) !== pid,
      );
    }
    await working.untilRounds(ROUNDS_BETWEEN);
    return working.finish();
  }

  it('go on as if nothing had happened when it is the metaserver', async () => {
    const folder = join(second.cluster.mountPoint, 'first');
    await mkdir(folder);
    program = new ChangingProgram(folder);
    const { problems, changes } = await killAgainAndAgain('meta1', program);
    assert.deepEqual(problems, []);
    assert.ok(changes > KILLS * ROUNDS_BETWEEN);
  });

  it('go on as if nothing had happened when it is the mediator of another process', async () => {
    const folder = join(second.folder, 'second');
    await mkdir(folder);
    program = new ChangingProgram(folder, 'append');
    const { problems, appended } = await killAgainAndAgain('mediator', program);
    assert.deepEqual(problems, []);
    const { stdout } = await run('timeout', ['-k', '5', '50', 'cat', join(folder, 'log')], '/');
    assert.equal(stdout, Array.from({ length: appended }, (_, n) => `${n}\n`).join(''));
  });
});
