// The active mediator is killed, or stopped and continued, under a program that changes names, appends and locks: nothing fails,
// nothing is undone, and what the replaced mediator does afterwards is refused.
import assert from 'node:assert/strict';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, it } from 'mocha';
import { ServiceError } from '../../src/protocol/errors.js';
import type { ClusterStatus } from '../../src/protocol/services/admin.js';
import { ChangingProgram } from '../support/changing-program.js';
import { Cluster, until } from '../support/cluster.js';
import { oneCluster } from '../support/one-cluster.js';

const LOSSES = 3;
/** Rounds of changes between two losses. */
const ROUNDS_BETWEEN = 8;
const STOPPED_MS = 10_000;
/** How a question fails whose mediator ends. */
const LOST: ReadonlySet<string> = new Set(['OUTCOME_UNKNOWN', 'UNREACHABLE', 'CLOSING']);

describe('two mediators and three metaservers under a program', function () {
  this.timeout(240_000);
  const own = oneCluster({ servers: 3, metaservers: 3, mediators: 2 });
  let program: ChangingProgram | undefined;

  afterEach(async () => {
    await program?.kill();
    program = undefined;
  });

  async function begin(name: string): Promise<ChangingProgram> {
    const folder = join(own.cluster.mountPoint, name);
    await mkdir(folder);
    program = new ChangingProgram(folder, 'append');
    return program;
  }

  /** The mediator that is active after that epoch, once the other one is there to take over. */
  async function active(after = 0): Promise<{ name: string; epoch: number }> {
    let found = { name: '', epoch: after };
    await until('an active mediator and a standby', async () => {
      const { mediators } = await own.cluster.status().catch(ofNobody);
      found = mediators.find(({ state, epoch }) => state === 'active' && epoch > after) ?? found;
      return found.epoch > after && mediators.some(({ state }) => state === 'standby');
    });
    return found;
  }

  /** The mediator that was asked ended meanwhile. */
  function ofNobody(error: unknown): Pick<ClusterStatus, 'mediators'> {
    if (error instanceof ServiceError && LOST.has(error.code)) return { mediators: [] };
    throw error;
  }

  /** The lines of all metaservers' and data servers' logs about a mediator of that epoch that they have refused. */
  async function refusals(epoch: number): Promise<string[]> {
    const names = ['meta1', 'meta2', 'meta3', 'data1', 'data2', 'data3'];
    const logs = await Promise.all(names.map((name) => readFile(join(own.cluster.logFolder, `${name}.log`), 'utf8')));
    return logs
      .flatMap((log) => log.split('\n'))
      .filter((line) => line.includes('mediator.fenced') && line.includes(`"epoch":${epoch},`));
  }

  it('go on when the active one is killed', async () => {
    const working = await begin('killed');
    for (let loss = 0; loss < LOSSES; loss++) {
      await working.untilRounds(ROUNDS_BETWEEN);
      process.kill(await own.cluster.pidOf((await active()).name), 'SIGKILL');
    }
    await working.untilRounds(ROUNDS_BETWEEN);
    const { problems, appended } = await working.finish();
    assert.deepEqual(problems, []);
    const lines = (await readFile(join(own.cluster.mountPoint, 'killed', 'log'), 'utf8')).split('\n');
    assert.equal(lines.length - 1, appended);
  });

  it('go on while the active one is stopped, and refuse it when it is continued', async () => {
    const working = await begin('stopped');
    await working.untilRounds(ROUNDS_BETWEEN);
    const stopped = await active();
    const pid = await own.cluster.pidOf(stopped.name);
    process.kill(pid, 'SIGSTOP');
    const startMs = performance.now();
    try {
      await working.untilRounds(ROUNDS_BETWEEN);
      await new Promise((resolve) => setTimeout(resolve, STOPPED_MS - (performance.now() - startMs)));
      await working.untilRounds(ROUNDS_BETWEEN);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await until('its refusal', async () => (await refusals(stopped.epoch)).length > 0);
    assert.notEqual((await active(stopped.epoch)).name, stopped.name);
    await working.untilRounds(ROUNDS_BETWEEN);
    assert.deepEqual((await working.finish()).problems, []);
  });

  it('hand over at once when the active one is stopped in order', async () => {
    const working = await begin('handed-over');
    await working.untilRounds(ROUNDS_BETWEEN);
    const last = await active();
    // What was changed while it ran must count for the next one, which was started before.
    await own.cluster.must('config', 'set', 'audit=quorum');
    const startMs = performance.now();
    process.kill(await own.cluster.pidOf(last.name), 'SIGTERM');
    await working.untilRounds(ROUNDS_BETWEEN);
    assert.ok(performance.now() - startMs < 10_000);
    await active(last.epoch);
    assert.equal((await own.cluster.status()).audit, 'quorum');
    assert.deepEqual((await working.finish()).problems, []);
  });

  it('take what the mount still has to store when their supervisor is killed', async () => {
    const text = 'pending\n'.repeat(100);
    const file = await open(join(own.cluster.mountPoint, 'open'), 'w');
    try {
      await file.write(text);
      await own.cluster.killSupervisor();
      own.cluster = await Cluster.resume(own.cluster.folder);
    } finally {
      await file.close().catch(() => {});
    }
    assert.equal(await readFile(join(own.cluster.mountPoint, 'open'), 'utf8'), text);
  });
});
