// Metaservers that share a log in a real etcd: the one that leads is killed and stopped, etcd's own leader is killed, and etcd is
// away for a while, all under a program that changes names. Nothing fails, nothing is undone.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'mocha';
import { loadConfig } from '../../src/cli/config-file.js';
import { leaderOf, type Standings, withGroup } from '../../src/cli/group-client.js';
import { isCatchingUp } from '../../src/protocol/services/metaserver-majority.js';
import { ChangingProgram } from '../support/changing-program.js';
import { Cluster, run, until } from '../support/cluster.js';
import { Etcd } from '../support/etcd.js';
import { COMMAND } from '../support/ordinary-user.js';
import { requirePrograms } from '../support/programs.js';
import { requireFuse } from '../support/require-fuse.js';

const LOSSES = 3;
/** Rounds of changes between two losses. */
const ROUNDS_BETWEEN = 8;
const AWAY_MS = 6000;

describe('three metaservers with an etcd of three, under a program that changes names', function () {
  this.timeout(300_000);
  let etcd: Etcd;
  let cluster: Cluster;
  let program: ChangingProgram | undefined;

  before(async function () {
    requireFuse(this);
    requirePrograms(this, ...Etcd.PROGRAMS);
    etcd = await Etcd.start(3);
    cluster = await Cluster.start({
      ...{ servers: 3, metaservers: 3, metadataProtocol: 'etcd', extraConfig: etcd.configLine() },
    });
  });

  afterEach(async () => {
    await program?.kill();
    program = undefined;
  });

  after(async () => {
    await cluster?.destroy();
    await etcd?.remove();
  });

  async function begin(name: string): Promise<ChangingProgram> {
    const folder = join(cluster.mountPoint, name);
    await mkdir(folder);
    program = new ChangingProgram(folder);
    return program;
  }

  it('goes on when the metaserver that leads is killed', async () => {
    const working = await begin('killed');
    for (let loss = 0; loss < LOSSES; loss++) {
      await working.untilRounds(ROUNDS_BETWEEN);
      process.kill(await cluster.pidOf(await leader(cluster)), 'SIGKILL');
    }
    await working.untilRounds(ROUNDS_BETWEEN);
    assert.deepEqual((await working.finish()).problems, []);
  });

  it('goes on while the metaserver that leads is stopped, which answers nothing of its own when it wakes', async () => {
    const working = await begin('stopped');
    for (let loss = 0; loss < LOSSES; loss++) {
      await working.untilRounds(ROUNDS_BETWEEN);
      const stopped = await leader(cluster);
      const pid = await cluster.pidOf(stopped);
      process.kill(pid, 'SIGSTOP');
      try {
        await until(
          'another one to lead',
          async () => ![stopped, undefined].includes(leaderOf(await standings(cluster))),
        );
        await working.untilRounds(ROUNDS_BETWEEN);
      } finally {
        process.kill(pid, 'SIGCONT');
      }
    }
    assert.deepEqual((await working.finish()).problems, []);
  });

  it('goes on when the leader of etcd is killed, or stopped', async () => {
    const working = await begin('etcd-leader');
    await working.untilRounds(ROUNDS_BETWEEN);
    await etcd.kill(await etcd.leaderPid());
    await working.untilRounds(ROUNDS_BETWEEN);
    await etcd.startAll();
    const stopped = await etcd.leaderPid();
    process.kill(stopped, 'SIGSTOP');
    try {
      await working.untilRounds(ROUNDS_BETWEEN);
    } finally {
      process.kill(stopped, 'SIGCONT');
    }
    assert.deepEqual((await working.finish()).problems, []);
  });

  it('waits while etcd is away, says so, and goes on when it is back', async () => {
    const working = await begin('away');
    await working.untilRounds(ROUNDS_BETWEEN);
    const last = await leader(cluster);
    await etcd.killAll();
    await until('nobody to lead', async () => leaderOf(await standings(cluster)) === undefined);
    await new Promise((resolve) => setTimeout(resolve, AWAY_MS));
    assert.match(await cluster.must('status'), /nothing can be read: no metaserver leads: http:.*ECONNREFUSED/);
    assert.match(await readFile(join(cluster.logFolder, `${last}.log`), 'utf8'), /"event":"etcd\.away"/);
    const interrupted = await run('timeout', ['-s', 'INT', '2', 'stat', join(cluster.mountPoint, 'not-known')], '/');
    assert.equal(interrupted.status, 124, 'a question that waits can be interrupted');
    await etcd.startAll();
    await working.untilRounds(ROUNDS_BETWEEN);
    assert.deepEqual((await working.finish()).problems, []);
  });

  it('fills a metaserver that comes back blank, and hands the lead over by a command', async () => {
    const working = await begin('blank');
    await working.untilRounds(ROUNDS_BETWEEN);
    // One is wiped only while the others hold everything.
    const leading = await leader(cluster);
    const wiped = leading === 'meta1' ? 'meta2' : 'meta1';
    await cluster.must('restart', wiped, '--blank');
    await until('the blank one', async () => {
      const known = await standings(cluster);
      const { role, appliedIndex = 0 } = known.get(wiped) ?? {};
      return role !== 'learner' && role !== 'blank' && appliedIndex > 0;
    });
    await cluster.must('metaserver', 'transfer', wiped);
    assert.equal(await leader(cluster), wiped);
    await working.untilRounds(ROUNDS_BETWEEN);
    assert.deepEqual((await working.finish()).problems, []);
  });
});

describe('a lone metaserver with files', function () {
  /** What the metaserver says that is started alone. */
  async function untilRefused(reason: RegExp): Promise<void> {
    const server = spawn(process.execPath, [COMMAND, 'serve', 'meta', '--config', cluster.configFile]);
    const ended = new Promise((resolve) => server.once('exit', resolve));
    let said = '';
    server.stdout.on('data', (chunk) => {
      said += String(chunk);
    });
    try {
      await until('the refusal', async () => reason.test(said));
    } finally {
      server.kill();
      await ended;
    }
  }

  this.timeout(240_000);
  let etcd: Etcd;
  let cluster: Cluster;

  before(async function () {
    requireFuse(this);
    requirePrograms(this, ...Etcd.PROGRAMS);
    etcd = await Etcd.start(1);
    cluster = await Cluster.start({ servers: 1 });
  });

  after(async () => {
    await cluster?.destroy();
    await etcd?.remove();
  });

  it('goes on in etcd, also when that was away, and refuses another log', async () => {
    const { stdout } = await cluster.shell('mkdir d && seq 1 1000 > d/numbers && md5sum < d/numbers');
    process.kill(await cluster.pidOf('meta1'), 'SIGKILL');
    await cluster.stop();
    const text = await readFile(cluster.configFile, 'utf8');
    const inEtcd = (prefix: string) =>
      writeFile(
        cluster.configFile,
        text.replace('metadataProtocol: raft', `metadataProtocol: etcd\n${etcd.configLine(prefix)}`),
      );
    await inEtcd('/one');
    cluster = await Cluster.resume(cluster.folder);
    assert.equal((await cluster.shell('md5sum < d/numbers && touch e')).stdout, stdout);
    // Longer than it takes the metaserver to give up the lead, and to begin another reign.
    const waiting = cluster.shell('touch f && ls');
    await etcd.killAll();
    await new Promise((resolve) => setTimeout(resolve, AWAY_MS));
    await etcd.startAll();
    assert.equal((await waiting).status, 0);
    assert.equal((await cluster.shell('touch g && ls')).stdout, 'd\ne\nf\ng\n');
    await cluster.stop();
    await inEtcd('/other');
    await untilRefused(/etcd has no log under \/other, and the store in .* follows log/);
  });
});

async function standings({ configFile }: Cluster): Promise<Standings> {
  return withGroup(await loadConfig(configFile), (group) => group.standings());
}

/** Once one of them answers, and all others follow. */
async function leader(cluster: Cluster): Promise<string> {
  let leads = '';
  await until('a metaserver to lead, and the others to follow', async () => {
    const known = await standings(cluster);
    leads = leaderOf(known) ?? '';
    return leads !== '' && known.size === 3 && [...known.values()].every((status) => !isCatchingUp(status));
  });
  return leads;
}
