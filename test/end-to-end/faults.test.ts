// What the report leaves out: corruption and crash mixed, N = 3 and N = 7,
// Qw < N with a stale replica that returns, servers that hang, processes that
// are killed.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { type Cluster, type ClusterOptions, until } from '../support/cluster.js';
import { oneCluster } from '../support/one-cluster.js';

const names = (count: number) => Array.from({ length: count }, (_, index) => `data${index + 1}`);

/** Runs the body with a cluster of its own. */
function withCluster(title: string, options: ClusterOptions, body: (cluster: () => Cluster) => void) {
  describe(title, function () {
    this.timeout(240_000);
    const place = oneCluster(options);
    body(() => place.cluster);
  });
}

async function must(cluster: Cluster, line: string): Promise<string> {
  const outcome = await cluster.shell(line);
  assert.equal(outcome.status, 0, `${line}: ${outcome.stderr}`);
  return outcome.stdout;
}

withCluster('N = 5, Qr = 3', { servers: 5, readQuorum: 3 }, (cluster) => {
  it('adds them up against Qr: one of each is survived, and the corrupted one is repaired', async () => {
    await must(cluster(), 'echo mixed > mixed.txt');
    await cluster().terminate('data1');
    await cluster().corrupt('/mixed.txt', 'data2');
    assert.equal(await must(cluster(), 'cat mixed.txt'), 'mixed\n');
    await cluster().untilEqual('data2', 'data3', 'data4', 'data5');
  });

  it('one crashed and two corrupted are too many: EIO, never wrong bytes', async () => {
    await cluster().corrupt('/mixed.txt', 'data2', 'data3');
    const read = await cluster().shell('cat mixed.txt');
    assert.notEqual(read.status, 0);
    assert.equal(read.stdout, '');
    assert.match(read.stderr, /Input\/output error/);
  });

  it('is readable again when the crashed server returns, and then heals the corrupted ones', async () => {
    await cluster().restart('data1');
    await cluster().untilState('up');
    assert.equal(await must(cluster(), 'cat mixed.txt'), 'mixed\n');
    await cluster().untilEqual(...names(5));
  });

  it('writes with two servers down when Qw = 3', async () => {
    await cluster().configure('writeQuorum', '3');
    await must(cluster(), 'echo first > stale.txt');
    await cluster().terminate(...names(2));
    await must(cluster(), 'echo second > stale.txt');
    assert.equal(await must(cluster(), 'cat stale.txt'), 'second\n');
  });

  it('never takes the old bytes of a stale replica that returns for an answer, and brings it up to date', async () => {
    await cluster().restart(names(2));
    await cluster().untilState('up');
    assert.equal(await must(cluster(), 'cat stale.txt'), 'second\n');
    await cluster().untilEqual(...names(5));
    // Now the two that were stale carry the vote.
    await cluster().terminate('data3', 'data4');
    assert.equal(await must(cluster(), 'cat stale.txt'), 'second\n');
  });
});

for (const { servers, readQuorum } of [
  { servers: 3, readQuorum: 2 },
  { servers: 7, readQuorum: 4 },
]) {
  withCluster(`N = ${servers}, Qr = ${readQuorum}, Qw = ${servers}`, { servers, readQuorum }, (cluster) => {
    const survivable = servers - readQuorum;

    it(`reads with ${survivable} corrupted, not with ${survivable + 1}`, async () => {
      await must(cluster(), 'echo many > many.txt');
      await cluster().corrupt('/many.txt', ...names(survivable));
      assert.equal(await must(cluster(), 'cat many.txt'), 'many\n');
      await cluster().untilEqual(...names(servers));
      await cluster().corrupt('/many.txt', ...names(survivable + 1));
      assert.notEqual((await cluster().shell('cat many.txt')).status, 0);
      await must(cluster(), 'echo many > many.txt');
    });

    it(`reads with ${survivable} crashed and refuses to write; not with ${survivable + 1}`, async () => {
      await cluster().terminate(...names(survivable));
      assert.notEqual((await cluster().shell('echo lost > many.txt')).status, 0);
      assert.equal(await must(cluster(), 'cat many.txt'), 'many\n');
      await cluster().terminate(`data${survivable + 1}`);
      assert.notEqual((await cluster().shell('cat many.txt')).status, 0);
    });
  });
}

withCluster('a server that hangs', { servers: 3, readQuorum: 2, extraConfig: 'deadlineMs: 1500' }, (cluster) => {
  it('counts as down after its deadline, reads go on meanwhile, and it is taken back when it answers again', async () => {
    await must(cluster(), 'echo hanging > hang.txt');
    const pid = await cluster().pidOf('data1');
    process.kill(pid, 'SIGSTOP');
    try {
      for (let round = 0; round < 10; round++) assert.equal(await must(cluster(), 'cat hang.txt'), 'hanging\n');
      const write = await cluster().shell('echo refused > hang.txt');
      assert.notEqual(write.status, 0);
      assert.notEqual(write.status, 124, 'the write was refused, it did not hang');
      await cluster().untilState('down', 'data1');
      assert.equal(await must(cluster(), 'cat hang.txt'), 'hanging\n');
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await cluster().untilState('up');
    await must(cluster(), 'echo after > hang.txt');
    assert.equal(await must(cluster(), 'cat hang.txt'), 'after\n');
    await cluster().untilEqual(...names(3));
  });

  it('a data server killed with SIGKILL is started again and serves what it had', async () => {
    await cluster().untilState('up');
    await must(cluster(), 'echo killed > killed.txt');
    // A version that nobody needs any more may go at any time.
    await until('one version of each block', async () => {
      const keys = Object.keys(await cluster().contents('data2'));
      return new Set(keys.map((key) => key.slice(0, key.lastIndexOf('/')))).size === keys.length;
    });
    const before = await cluster().contents('data2');
    const pid = await cluster().pidOf('data2');
    process.kill(pid, 'SIGKILL');
    await until('another process of data2', async () => {
      const found = (await cluster().status()).dataservers.find(({ name }) => name === 'data2');
      return found?.state === 'up' && (await cluster().pidOf('data2')) !== pid;
    });
    assert.deepEqual(await cluster().contents('data2'), before);
  });
});

withCluster('a metaserver killed, a write quorum lost', { servers: 3, readQuorum: 2 }, (cluster) => {
  const KILLS = 5;
  /** Writes and syncs one file until the file `stop` is there; prints how often, and what failed. */
  const SYNC_LOOP = `
    const fs = require('node:fs');
    const file = fs.openSync('synced.txt', 'w');
    fs.fsyncSync(file);
    fs.writeFileSync('begun', '');
    const failures = [];
    let rounds = 0;
    for (; !fs.existsSync(process.argv[1]); rounds++) {
      try {
        fs.writeSync(file, String(rounds).padStart(8) + '\\n', 0);
        fs.fsyncSync(file);
      } catch (error) {
        failures.push(error.message);
      }
    }
    console.log(JSON.stringify({ rounds, failures }));`;

  it('fails no fsync that is under way: its supervisor has it back at once', async () => {
    const stop = join(cluster().folder, 'stop');
    const syncing = cluster().shell(`'${process.execPath}' -e "${SYNC_LOOP}" '${stop}'`);
    await until('the first fsync', async () => (await cluster().shell('test -e begun')).status === 0);
    let pid = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      await until('another metaserver', async () => {
        const found = await cluster()
          .pidOf('meta1')
          .catch(() => pid);
        if (found === pid || !(await cluster().status()).readable) return false;
        pid = found;
        return true;
      });
      process.kill(pid, 'SIGKILL');
    }
    await until('the metaserver', async () => (await cluster().status()).readable);
    await writeFile(stop, '');
    const { status, stdout, stderr } = await syncing;
    assert.equal(status, 0, stderr);
    const { rounds, failures } = JSON.parse(stdout) as { rounds: number; failures: string[] };
    assert.deepEqual(failures, []);
    assert.equal(await must(cluster(), 'cat synced.txt'), `${String(rounds - 1).padStart(8)}\n`);
  });

  it('a write waits until the servers are back when onWriteQuorumLost is block', async () => {
    await cluster().configure('onWriteQuorumLost', 'block');
    await must(cluster(), 'echo one > waits.txt');
    await cluster().terminate('data1');
    let ended = false;
    const write = cluster()
      .shell('echo two > waits.txt')
      .then((outcome) => {
        ended = true;
        return outcome;
      });
    assert.equal(await must(cluster(), 'cat waits.txt'), 'one\n');
    assert.equal(ended, false);
    await cluster().restart('data1');
    assert.equal((await write).status, 0);
    assert.equal(await must(cluster(), 'cat waits.txt'), 'two\n');
  });
});
