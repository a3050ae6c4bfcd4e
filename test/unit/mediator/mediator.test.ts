import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { afterEach, describe, it } from 'mocha';
import type { Mediator } from '../../../src/mediator/mediator.js';
import { ROOT_INODE } from '../../../src/protocol/files.js';
import { eventually, FakeCluster, type FakeClusterOptions, makeFile } from '../../support/fake-cluster.js';
import type { FakeReplica } from '../../support/fake-replica.js';

const BLOCK = 16 * 1024;

let cluster: FakeCluster | undefined;

afterEach(async () => {
  await cluster?.close();
  cluster = undefined;
});

async function open(options: FakeClusterOptions = {}): Promise<{ cluster: FakeCluster; mediator: Mediator }> {
  cluster = await FakeCluster.open(options);
  return { cluster, mediator: await cluster.mediator() };
}

async function write(
  mediator: Mediator,
  inode: number,
  offset: number,
  data: Uint8Array | string,
  truncateTo?: number,
) {
  const request = { inode, extents: [{ offset, data: Buffer.from(data) }], modifyTimeNs: 1n };
  return mediator.files.write(truncateTo === undefined ? request : { ...request, truncateTo });
}

async function read(mediator: Mediator, inode: number, offset = 0, length = 1 << 20): Promise<Buffer> {
  return Buffer.from((await mediator.files.read({ inode, offset, length })).data);
}

const text = async (mediator: Mediator, inode: number) => (await read(mediator, inode)).toString();

/** The replica that is asked in that place, from 0, about the first blocks of a file: the turn goes by inode. */
function asked(cluster: FakeCluster, inode: number, place: number): FakeReplica {
  return cluster.replica(((inode + place) % cluster.replicas.length) + 1);
}

function assertEqualReplicas({ replicas }: FakeCluster): void {
  for (const replica of replicas) assert.deepEqual(replica.contents(), replicas[0]?.contents(), replica.name);
}

describe('reading', () => {
  it('answers what was written, whole blocks, parts and holes', async () => {
    const { mediator } = await open();
    const inode = await makeFile(mediator, 'a');
    const model = Buffer.alloc(5 * BLOCK);
    let size = 0;
    for (let round = 0; round < 60; round++) {
      const offset = Math.floor(Math.random() * 4 * BLOCK);
      const data = randomBytes(1 + Math.floor(Math.random() * BLOCK));
      if (round % 7 === 6) {
        size = Math.floor(Math.random() * 4 * BLOCK);
        model.fill(0, size);
        const caller = { uid: 0, gid: 0 };
        await mediator.files.setattr({ inode, changes: { sizeBytes: size }, caller });
      } else {
        data.copy(model, offset);
        size = Math.max(size, offset + data.length);
        await write(mediator, inode, offset, data);
      }
      assert.ok((await read(mediator, inode)).equals(model.subarray(0, size)), `round ${round}`);
    }
  });

  // corrupted replicas, crashed replicas, Qr, success
  const table: [number, number, number, boolean][] = [
    [0, 0, 5, true],
    [1, 0, 5, false],
    [0, 1, 5, false],
    [1, 0, 4, true],
    [2, 0, 4, false],
    [2, 0, 3, true],
    [3, 0, 3, false],
    [0, 2, 3, true],
    [0, 3, 3, false],
    [1, 1, 3, true],
    [2, 1, 3, false],
    [1, 2, 3, false],
    [3, 0, 2, true],
    [1, 2, 2, true],
    [4, 0, 1, true],
    [2, 2, 1, true],
    [5, 0, 1, false],
    [0, 5, 1, false],
  ];
  for (const [corrupted, crashed, readQuorum, success] of table) {
    it(`with ${corrupted} corrupted and ${crashed} crashed of 5, Qr = ${readQuorum}: ${success ? 'right bytes' : 'EIO'}`, async () => {
      const { cluster, mediator } = await open({ readQuorum });
      const inode = await makeFile(mediator, 'a');
      await write(mediator, inode, 0, 'right bytes');
      for (let number = 1; number <= corrupted; number++) cluster.replica(number).corrupt(inode, 0);
      for (let number = 6 - crashed; number <= 5; number++) cluster.replica(number).crash();
      if (!success) {
        await assert.rejects(read(mediator, inode), { code: 'EIO' });
        return;
      }
      assert.equal(await text(mediator, inode), 'right bytes');
      const alive = cluster.replicas.filter(({ fault }) => fault === 'none');
      await eventually(() =>
        alive.every((one) => one.contents()[`${inode}/0/1`] === alive.at(-1)?.contents()[`${inode}/0/1`]),
      );
      const { dataservers } = await mediator.admin.status({});
      assert.equal(
        dataservers.reduce((sum, { repairs }) => sum + repairs, 0),
        corrupted,
      );
    });
  }

  it('puts an absent version back on the replica that lost it', async () => {
    const { cluster, mediator } = await open();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'kept');
    cluster.replica(2).stored.clear();
    assert.equal(await text(mediator, inode), 'kept');
    await eventually(() => cluster.replica(2).stored.size === 1);
    assertEqualReplicas(cluster);
  });

  it('does not take bytes from a replica that votes for the right hash and sends others', async () => {
    const { cluster, mediator } = await open();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'honest bytes');
    asked(cluster, inode, 0).fault = 'lying';
    asked(cluster, inode, 1).fault = 'lying';
    for (let round = 0; round < 10; round++) assert.equal(await text(mediator, inode), 'honest bytes');
  });

  it('asks others when a replica hangs, and counts it as down after its deadline', async () => {
    const { cluster, mediator } = await open();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'hedged');
    asked(cluster, inode, 0).fault = 'hung';
    for (let round = 0; round < 10; round++) assert.equal(await text(mediator, inode), 'hedged');
    const { counters } = await mediator.admin.status({});
    assert.ok(
      (counters.hedges ?? 0) >= 1 && (counters.hedges ?? 0) <= 3,
      `${counters.hedges} hedges: a slow one is asked last`,
    );
  });

  it('audits the replicas that it did not need, or leaves them alone, as configured', async () => {
    const { cluster, mediator } = await open({ audit: 'all', readQuorum: 1 });
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'audited');
    for (const replica of cluster.replicas.slice(1)) replica.corrupt(inode, 0);
    assert.equal(await text(mediator, inode), 'audited');
    await eventually(() =>
      cluster.replicas.every(
        (replica) => replica.contents()[`${inode}/0/1`] === cluster.replica(1).contents()[`${inode}/0/1`],
      ),
    );
    await mediator.admin.configure({ key: 'audit', value: 'quorum' });
    const before = cluster.replicas.reduce((sum, { calls }) => sum + (calls.get('get') ?? 0), 0);
    for (let round = 0; round < 10; round++) await read(mediator, inode);
    const after = cluster.replicas.reduce((sum, { calls }) => sum + (calls.get('get') ?? 0), 0);
    assert.equal(after - before, 10);
  });
});

describe('writing', () => {
  it('gives a replica a large write piece by piece, so that what is asked meanwhile is not late', async () => {
    const { cluster, mediator } = await open();
    const inode = await makeFile(mediator, 'a');
    const data = randomBytes(24 << 20);
    await write(mediator, inode, 0, data);
    assert.ok((await read(mediator, inode, 0, data.length)).equals(data));
    for (const replica of cluster.replicas) assert.ok(replica.mostPutsAtOnce <= 4, `${replica.mostPutsAtOnce} at once`);
  });

  it('is refused with EIO when Qw servers can not be reached, and leaves what was there', async () => {
    const { cluster, mediator } = await open();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'before');
    cluster.replica(3).crash();
    await assert.rejects(write(mediator, inode, 0, 'after'), { code: 'EIO' });
    await assert.rejects(mediator.files.open({ inode, forWriting: true }), { code: 'EIO' });
    await assert.rejects(makeFile(mediator, 'b'), { code: 'EIO' });
    assert.equal(await text(mediator, inode), 'before');
  });

  it('is refused at opening when a server hangs that nobody has asked for a while', async () => {
    const { cluster, mediator } = await open();
    const inode = await makeFile(mediator, 'a');
    // As if a second had passed.
    Object.assign(cluster.runtime.clock, { monotonicMs: () => performance.now() + 1000 });
    cluster.replica(3).fault = 'hung';
    await assert.rejects(mediator.files.open({ inode, forWriting: true }), { code: 'EIO' });
  });

  it('leaves what was there when a server dies in the middle, and takes its new versions away', async () => {
    const { cluster, mediator } = await open();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'before');
    cluster.replica(3).fault = 'hung';
    await assert.rejects(write(mediator, inode, 0, 'after!'), { code: 'EIO' });
    assert.equal(await text(mediator, inode), 'before');
    await eventually(() =>
      cluster.replicas.filter(({ fault }) => fault === 'none').every(({ stored }) => stored.size === 1),
    );
  });

  it('answers ENOSPC when servers are full', async () => {
    const { cluster, mediator } = await open();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'before');
    cluster.replica(2).fault = 'full';
    await assert.rejects(write(mediator, inode, 0, 'after!'), { code: 'ENOSPC' });
    assert.equal(await text(mediator, inode), 'before');
  });

  it('waits for the servers when configured so', async () => {
    const { cluster, mediator } = await open({ onWriteQuorumLost: 'block' });
    const inode = await makeFile(mediator, 'a');
    cluster.replica(1).crash();
    let written = false;
    const writing = write(mediator, inode, 0, 'late').then(() => {
      written = true;
    });
    await read(mediator, inode);
    assert.equal(written, false);
    cluster.replica(1).restart();
    await writing;
    assert.equal(await text(mediator, inode), 'late');
  });

  it('waits for a server that is lost under the write when told to block, and then stores everything', async () => {
    const { cluster, mediator } = await open({ onWriteQuorumLost: 'block' });
    const inode = await makeFile(mediator, 'a');
    const lost = cluster.replica(3);
    // It is taken for reachable until it is called.
    lost.fault = 'crashed';
    const writing = write(mediator, inode, 0, 'waited');
    await eventually(() => (lost.calls.get('put') ?? 0) > 0);
    lost.fault = 'none';
    await writing;
    assert.equal(await text(mediator, inode), 'waited');
    await eventually(() => cluster.replicas.every((replica) => replica.stored.size === 1));
    assertEqualReplicas(cluster);
  });

  it('a part of a block mends replicas whose base was bad', async () => {
    const { cluster, mediator } = await open();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'x'.repeat(9000));
    cluster.replica(1).corrupt(inode, 0);
    cluster.replica(2).stored.clear();
    await write(mediator, inode, 10, 'patch');
    const expected = `${'x'.repeat(10)}patch${'x'.repeat(8985)}`;
    assert.equal(await text(mediator, inode), expected);
    await eventually(() => cluster.replicas.every(({ stored }) => stored.size === 1));
    assertEqualReplicas(cluster);
  });

  it('a part of a block fails with EIO when its base has no quorum, a whole block does not', async () => {
    const { cluster, mediator } = await open();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'x'.repeat(9000));
    for (const number of [1, 2, 3]) cluster.replica(number).corrupt(inode, 0);
    await assert.rejects(write(mediator, inode, 10, 'patch'), { code: 'EIO' });
    await write(mediator, inode, 0, 'y'.repeat(9000));
    assert.equal(await text(mediator, inode), 'y'.repeat(9000));
  });

  it('a truncation and the data after it are one commit', async () => {
    const { cluster, mediator } = await open();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, randomBytes(3 * BLOCK));
    cluster.replica(1).fault = 'full';
    await assert.rejects(write(mediator, inode, 0, 'short', 0), { code: 'ENOSPC' });
    assert.equal((await read(mediator, inode)).length, 3 * BLOCK);
    cluster.replica(1).fault = 'none';
    await write(mediator, inode, 0, 'short', 0);
    assert.equal(await text(mediator, inode), 'short');
    await eventually(() => cluster.replicas.every(({ stored }) => stored.size === 1));
  });

  it('concurrent writers through two mediators lose no bytes', async () => {
    const { cluster, mediator } = await open();
    const other = await cluster.mediator({ maintenance: false });
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, '-'.repeat(64));
    await Promise.all(
      Array.from({ length: 32 }, (_, index) =>
        write(index % 2 === 0 ? mediator : other, inode, index * 2, String.fromCharCode(65 + index)),
      ),
    );
    const expected = Array.from({ length: 32 }, (_, index) => `${String.fromCharCode(65 + index)}-`).join('');
    for (const each of [mediator, other]) {
      // The one that does the maintenance takes itself for the only one: news of the other comes with attributes.
      await each.files.getattr({ inode });
      assert.equal(await text(each, inode), expected);
    }
    await eventually(() => cluster.replicas.every(({ stored }) => stored.size === 1));
  });

  it('an unlinked file frees its blocks everywhere, a held one after its release', async () => {
    const { cluster, mediator } = await open();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'held');
    await mediator.files.unlink({ parent: ROOT_INODE, name: 'a', held: [inode] });
    assert.equal(await text(mediator, inode), 'held');
    await mediator.files.release({ inode });
    await eventually(() => cluster.replicas.every(({ stored }) => stored.size === 0));
    await assert.rejects(mediator.files.getattr({ inode }), { code: 'ENOENT' });
  });
});

describe('servers that come back', () => {
  it('a blank one is rebuilt, is complete before it counts as up, and carries a vote then', async () => {
    const { cluster, mediator } = await open();
    const inodes: number[] = [];
    for (let number = 0; number < 100; number++) {
      const inode = await makeFile(mediator, `f${number}`);
      await write(mediator, inode, 0, `content ${number}`);
      inodes.push(inode);
    }
    cluster.replica(1).crash();
    cluster.replica(1).restart(true);
    const states: string[] = [];
    for (;;) {
      const server = (await mediator.admin.status({})).dataservers[0];
      assert.ok(server);
      states.push(server.state);
      if (server.state === 'up') break;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.ok(states.includes('rebuilding'), states.join());
    assertEqualReplicas(cluster);
    for (const number of [2, 3]) cluster.replica(number).crash();
    for (const [number, inode] of inodes.entries()) assert.equal(await text(mediator, inode), `content ${number}`);
  });

  it('a stale one never votes for old bytes, and catches up', async () => {
    const { cluster, mediator } = await open({ writeQuorum: 3 });
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'old bytes');
    for (const number of [1, 2]) cluster.replica(number).crash();
    await write(mediator, inode, 0, 'new bytes');
    for (const number of [1, 2]) cluster.replica(number).restart();
    assert.equal(await text(mediator, inode), 'new bytes');
    await eventually(() => cluster.replicas.every(({ stored }) => stored.size === 1));
    assertEqualReplicas(cluster);
    for (const number of [3, 4]) cluster.replica(number).crash();
    assert.equal(await text(mediator, inode), 'new bytes');
  });

  it('one of another cluster is not let in', async () => {
    const { cluster } = await open();
    cluster.replica(1).crash();
    cluster.replica(1).clusterId = 'another';
    cluster.replica(1).restart();
    await eventually(() =>
      cluster.events.some(({ event, server }) => event === 'replica.refused' && server === 'data1'),
    );
  });
});

describe('scrub', () => {
  it('repairs what no read has touched', async () => {
    const { cluster, mediator } = await open();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, randomBytes(4 * BLOCK));
    cluster.replica(4).corrupt(inode, 2);
    cluster.replica(5).stored.clear();
    await mediator.admin.scrub({});
    for (;;) {
      const progress = await mediator.admin.scrubProgress({});
      if (!progress.running) {
        assert.equal(progress.repaired, 5);
        assert.equal(progress.done, 4);
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assertEqualReplicas(cluster);
  });
});

describe('live settings', () => {
  it('refuses quorums that do not fit, unknown keys and unknown values', async () => {
    const { mediator } = await open();
    const set = (key: string, value: string) => mediator.admin.configure({ key, value });
    await assert.rejects(set('readQuorum', '6'), { code: 'REFUSED' });
    await assert.rejects(set('writeQuorum', '2'), { code: 'REFUSED' });
    await assert.rejects(set('readQuorum', 'two'), { code: 'REFUSED' });
    await assert.rejects(set('audit', 'some'), { code: 'REFUSED' });
    await assert.rejects(set('colour', 'red'), { code: 'REFUSED' });
    assert.deepEqual(await set('readQuorum', '2'), { key: 'readQuorum', value: '2' });
  });
});

describe('cutting', () => {
  for (const before of ['a hole', 'a shorter block']) {
    it(`leaves nothing of a block that another mediator put where this one knew ${before}`, async () => {
      const { cluster: opened, mediator } = await open();
      const other = await opened.mediator();
      const inode = await makeFile(mediator, 'a');
      await write(mediator, inode, 3 * BLOCK, 'end');
      if (before === 'a shorter block') await write(mediator, inode, BLOCK, 'short');
      // Now this mediator remembers the block map.
      await read(mediator, inode);
      await write(other, inode, BLOCK, Buffer.alloc(5000, 'x'));
      const cutAt = BLOCK + 100;
      await mediator.files.setattr({ inode, changes: { sizeBytes: cutAt }, caller: { uid: 0, gid: 0 } });
      await write(mediator, inode, 3 * BLOCK, 'end');
      assert.equal(
        (await read(mediator, inode, cutAt, 2 * BLOCK - 100)).findIndex((byte) => byte !== 0),
        -1,
      );
    });
  }
});

describe('garbage', () => {
  for (const fate of ['lost', 'unanswered'] as const) {
    it(`is collected again when the news of its collection was ${fate}`, async () => {
      const { cluster: opened, mediator } = await open();
      const inode = await makeFile(mediator, 'a');
      await write(mediator, inode, 0, 'old');
      opened.collectedFate = fate;
      await write(mediator, inode, 0, 'new');
      await eventually(() => opened.replicas.every(({ stored }) => stored.size === 1));
      assert.equal(await opened.garbage(), 1);
      opened.collectedFate = 'kept';
      if (fate === 'lost') opened.reconnectMetaserver();
      await eventually(async () => (await opened.garbage()) === 0);
    });
  }
});
