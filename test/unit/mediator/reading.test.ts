// What a read answers for what the servers hold, and what it has mended on the way.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { giveBack } from '../../../src/protocol/wire/lent.js';
import { eventually, type FakeCluster, makeFile } from '../../support/fake-cluster.js';
import type { FaultyReplica } from '../../support/faulty-replica.js';
import {
  assertEqualReplicas,
  BLOCK,
  below,
  CALLER,
  openCluster,
  randomBytes,
  read,
  text,
  untilEachHolds,
  write,
} from './fixture.js';

/** Numbers of the replicas in the order in which they are asked about the first blocks of the first file. */
const ORDER = [3, 4, 5, 1, 2] as const;

/** The replica that is asked in that place, from 0. */
function asked(cluster: FakeCluster, place: 0 | 1 | 2 | 3 | 4): FaultyReplica {
  return cluster.replica(ORDER[place]);
}

/** Gets of that replica wait for `before`; `after` is called when the mediator has the answer. */
function around({ blocks }: FaultyReplica, before: () => Promise<unknown>, after: () => void): void {
  const { get } = blocks;
  Object.assign(blocks, {
    async get(...call: Parameters<typeof get>) {
      await before();
      const reply = await get(...call);
      setImmediate(after);
      return reply;
    },
  });
}

async function untilEqual(replicas: readonly FaultyReplica[]): Promise<void> {
  await eventually(async () => {
    const all = await Promise.all(replicas.map((replica) => replica.contents()));
    return new Set(all.map((contents) => JSON.stringify(contents))).size === 1;
  });
}

describe('reading', () => {
  it('asks the replicas in turn, another first for each file', async () => {
    const { cluster, mediator } = await openCluster({ readQuorum: 5 });
    const asked: string[] = [];
    for (const { name, blocks } of cluster.replicas) {
      const { get } = blocks;
      Object.assign(blocks, {
        get(...call: Parameters<typeof get>) {
          asked.push(name);
          return get(...call);
        },
      });
    }
    const first = await makeFile(mediator, 'a');
    const second = await makeFile(mediator, 'b');
    for (const inode of [first, second]) await write(mediator, inode, 0, 'x');
    await read(mediator, first);
    assert.deepEqual(
      asked.splice(0),
      ORDER.map((number) => `data${number}`),
    );
    await read(mediator, second);
    assert.equal(asked[0], 'data4');
  });

  it('answers what was written, whole blocks, parts and holes', async () => {
    const { mediator } = await openCluster();
    const inode = await makeFile(mediator, 'a');
    const model = Buffer.alloc(5 * BLOCK);
    let size = 0;
    for (let round = 0; round < 60; round++) {
      const offset = below(4 * BLOCK);
      const data = randomBytes(1 + below(BLOCK));
      if (round % 7 === 6) {
        size = below(4 * BLOCK);
        model.fill(0, size);
        await mediator.files.setattr({ inode, changes: { sizeBytes: size }, caller: CALLER });
      } else {
        data.copy(model, offset);
        size = Math.max(size, offset + data.length);
        await write(mediator, inode, offset, data);
      }
      assert.ok((await read(mediator, inode)).equals(model.subarray(0, size)), `round ${round}`);
    }
  });

  it('answers in pieces that it got, zeros between them, and gives the memory back only when its caller does', async () => {
    const { cluster, mediator } = await openCluster();
    const inode = await makeFile(mediator, 'a');
    const content = Buffer.concat([randomBytes(2 * BLOCK), Buffer.alloc(20 * BLOCK), randomBytes(BLOCK + 7)]);
    await write(mediator, inode, 0, content.subarray(0, 2 * BLOCK));
    await write(mediator, inode, 22 * BLOCK, content.subarray(22 * BLOCK));
    const lent = () => cluster.replicas.reduce((sum, { lender }) => sum + lender.outstanding, 0);
    const before = lent();
    const reply = await mediator.files.read({ inode, offset: 1, length: content.length });
    assert.ok(lent() > before);
    await cluster.runtime.clock.sleep(20);
    assert.ok(Buffer.concat(reply.pieces).equals(content.subarray(1)));
    assert.ok(reply.pieces.length >= 5, `${reply.pieces.length} pieces: four of blocks, the rest of a hole`);
    giveBack(reply);
    assert.equal(lent(), before);
  });

  it('answers in one piece what has very many', async () => {
    const { cluster, mediator } = await openCluster();
    const inode = await makeFile(mediator, 'a');
    const content = randomBytes(150 * BLOCK);
    await write(mediator, inode, 0, content);
    const { pieces } = await mediator.files.read({ inode, offset: 0, length: content.length });
    assert.equal(pieces.length, 1);
    assert.ok(Buffer.concat(pieces).equals(content));
    assert.ok(cluster.replicas.every(({ lender }) => lender.outstanding === 0));
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
      const { cluster, mediator } = await openCluster({ readQuorum });
      const inode = await makeFile(mediator, 'a');
      await write(mediator, inode, 0, 'right bytes');
      for (let number = 1; number <= corrupted; number++) await cluster.replica(number).corrupt(inode, 0);
      for (let number = 6 - crashed; number <= 5; number++) cluster.replica(number).crash();
      if (!success) {
        await assert.rejects(read(mediator, inode), { code: 'EIO' });
        return;
      }
      assert.equal(await text(mediator, inode), 'right bytes');
      const alive = cluster.replicas.filter(({ fault }) => fault === 'none');
      await untilEqual(alive);
      await eventually(async () => {
        const { dataservers } = await mediator.admin.status({});
        return dataservers.reduce((sum, { repairs }) => sum + repairs, 0) === corrupted;
      });
    });
  }

  it('puts an absent version back on the replica that lost it', async () => {
    const { cluster, mediator } = await openCluster();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'kept');
    await cluster.replica(2).lose();
    assert.equal(await text(mediator, inode), 'kept');
    await untilEachHolds([cluster.replica(2)], 1);
    await assertEqualReplicas(cluster);
  });

  it('does not take bytes from a replica that votes for the right hash and sends others', async () => {
    const { cluster, mediator } = await openCluster();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'honest bytes');
    asked(cluster, 0).fault = 'lying';
    asked(cluster, 1).fault = 'lying';
    for (let round = 0; round < 10; round++) assert.equal(await text(mediator, inode), 'honest bytes');
  });

  it('does not answer bytes that come when their block has no quorum any more', async () => {
    const { cluster, mediator } = await openCluster();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, randomBytes(4 * BLOCK));
    for (const place of [1, 2, 3, 4] as const) await asked(cluster, place).corrupt(inode, 0);
    // The first, which is honest, and the fourth are to send the first block's bytes and the last one's, which waits for them
    // when the first block has lost its vote.
    const answered = new Set<number>();
    const answers = (place: 0 | 3 | 4, next: number | undefined) =>
      around(
        asked(cluster, place),
        () => eventually(() => next === undefined || answered.has(next)),
        () => answered.add(place),
      );
    answers(4, undefined);
    answers(0, 4);
    answers(3, 0);
    await assert.rejects(read(mediator, inode), { code: 'EIO' });
    assert.equal((await read(mediator, inode, BLOCK)).length, 3 * BLOCK);
  });

  it('asks others when a replica hangs, and counts it as down after its deadline', async () => {
    const { cluster, mediator } = await openCluster();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'hedged');
    asked(cluster, 0).fault = 'hung';
    for (let round = 0; round < 10; round++) assert.equal(await text(mediator, inode), 'hedged');
    const { counters } = await mediator.admin.status({});
    assert.ok(
      (counters.hedges ?? 0) >= 1 && (counters.hedges ?? 0) <= 3,
      `${counters.hedges} hedges: a slow one is asked last`,
    );
  });

  it('audits the replicas that it did not need, or leaves them alone, as configured', async () => {
    const { cluster, mediator } = await openCluster({ audit: 'all', readQuorum: 1 });
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'audited');
    for (const replica of cluster.replicas.slice(1)) await replica.corrupt(inode, 0);
    assert.equal(await text(mediator, inode), 'audited');
    await untilEqual(cluster.replicas);
    await mediator.admin.configure({ key: 'audit', value: 'quorum' });
    const before = cluster.replicas.reduce((sum, { calls }) => sum + (calls.get('get') ?? 0), 0);
    for (let round = 0; round < 10; round++) await read(mediator, inode);
    const after = cluster.replicas.reduce((sum, { calls }) => sum + (calls.get('get') ?? 0), 0);
    assert.equal(after - before, 10);
  });
});
