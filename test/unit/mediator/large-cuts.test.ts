// Truncations and holes of more blocks than the metaserver drops by one command.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Mediator } from '../../../src/mediator/mediator.js';
import type { RequestId } from '../../../src/protocol/values/request-ids.js';
import { eventually, type FakeCluster, makeFile } from '../../support/fake-cluster.js';
import {
  assertEqualReplicas,
  CALLER,
  calls,
  openCluster,
  randomBytes,
  read,
  untilEachHolds,
  write,
} from './fixture.js';

const BLOCK = 32;
const BLOCKS = 2100;
const SIZE = BLOCKS * BLOCK - 5;

interface Opened {
  cluster: FakeCluster;
  mediator: Mediator;
  inode: number;
  content: Buffer;
}

/** A file of some blocks more than three commands drop. */
async function opened(): Promise<Opened> {
  const { cluster, mediator } = await openCluster({ servers: 3, readQuorum: 2, blockSizeBytes: BLOCK });
  const inode = await makeFile(mediator, 'f');
  const content = randomBytes(SIZE);
  await write(mediator, inode, 0, content);
  return { cluster, mediator, inode, content };
}

function cut({ mediator, inode }: Opened, sizeBytes: number, id?: RequestId, again?: true) {
  return mediator.files.setattr({ inode, changes: { sizeBytes }, caller: CALLER, id, again });
}

function punch({ mediator, inode }: Opened, offset: number, length: number) {
  return mediator.files.fallocate({ inode, offset, length, zeros: true, keepsSize: true, modifyTimeNs: 7n });
}

/** A mount, and what it hears of since it has asked last. */
async function join({ sessions }: Mediator, client: string) {
  const options = { peer: {} };
  let { last } = await sessions.begin({ client, open: [], locks: [], mediator: null }, options);
  const heard = async () => {
    const news = await sessions.changes({ after: last, closed: [] }, options);
    ({ last } = news);
    return news.items;
  };
  return { options, heard };
}

/** All bytes are these, in so many blocks, and nothing else is left anywhere. */
async function assertContent({ cluster, mediator, inode }: Opened, expected: Buffer, blocks: number): Promise<void> {
  assert.ok((await read(mediator, inode)).equals(expected));
  assert.equal((await mediator.files.getattr({ inode })).sizeBytes, expected.length);
  await eventually(async () => (await cluster.garbage()) === 0);
  await untilEachHolds(cluster.replicas, blocks);
  await assertEqualReplicas(cluster);
  const other = await cluster.mediator({ maintenance: false });
  assert.ok((await read(other, inode)).equals(expected));
}

describe('a cut of more blocks than one command drops', () => {
  it('leaves the bytes before it, and nothing that comes to light when the file grows', async () => {
    const file = await opened();
    const { allocatedBytes, sizeBytes } = await cut(file, 100);
    assert.deepEqual([sizeBytes, allocatedBytes], [100, 100]);
    assert.equal(calls(file.cluster, 'trim'), 3);
    await assertContent(file, file.content.subarray(0, 100), 4);
    await cut(file, 50_000);
    const grown = Buffer.alloc(50_000);
    file.content.copy(grown, 0, 0, 100);
    await assertContent(file, grown, 4);
  });

  it('makes a hole of any size', async () => {
    const file = await opened();
    const { allocatedBytes, sizeBytes } = await punch(file, 100, SIZE - 200);
    assert.deepEqual([sizeBytes, allocatedBytes], [SIZE, 100 + 123]);
    assert.equal(calls(file.cluster, 'trim'), 3);
    file.content.fill(0, 100, SIZE - 100);
    await assertContent(file, file.content, 8);
  });

  it('comes with a write in its place, which is stored once', async () => {
    const file = await opened();
    const before = file.cluster.replica(1).calls.get('put') ?? 0;
    const data = randomBytes(20 * BLOCK + 3);
    await write(file.mediator, file.inode, 7, data, 0);
    assert.equal((file.cluster.replica(1).calls.get('put') ?? 0) - before, 1);
    await assertContent(file, Buffer.concat([Buffer.alloc(7), data]), 21);
  });

  it('shows a file of some size in between, whole up to its end', async () => {
    const file = await opened();
    const { cluster, mediator, inode, content } = file;
    const sizes = new Set<number>();
    cluster.metaserverDisk.beforeWrite = async () => {
      const seen = await read(mediator, inode);
      assert.ok(seen.equals(content.subarray(0, seen.length)));
      sizes.add(seen.length);
    };
    await cut(file, 100);
    delete cluster.metaserverDisk.beforeWrite;
    assert.deepEqual(
      [...sizes].filter((size) => size > 100),
      [SIZE, 1076 * BLOCK, 52 * BLOCK, 4 * BLOCK].filter((size) => sizes.has(size)),
    );
    assert.ok(sizes.has(52 * BLOCK));
    await assertContent(file, content.subarray(0, 100), 4);
  });

  for (const when of ['before', 'after'] as const) {
    it(`is made although the metaserver crashes ${when} each step and the commit`, async () => {
      const file = await opened();
      const meanwhile = () => file.cluster.crashMetaserver();
      const crashes = (['trim', 'trim', 'trim', 'commit'] as const).map((under) => ({ under, when, meanwhile }));
      // The first commit only learns that the cut is large.
      file.cluster.kills.push({ under: 'commit', when }, ...crashes);
      await cut(file, 100);
      assert.equal(file.cluster.kills.length, 0);
      await assertContent(file, file.content.subarray(0, 100), 4);
    });
  }

  it('takes up again when somebody has changed the file between two steps', async () => {
    const file = await opened();
    const { cluster, mediator, inode } = file;
    const meanwhile = () => mediator.files.setattr({ inode, changes: { mode: 0o600 }, caller: CALLER });
    for (const when of ['before', 'after'] as const) cluster.kills.push({ under: 'trim', when, meanwhile });
    await punch(file, 0, SIZE);
    assert.equal((await mediator.files.getattr({ inode })).mode, 0o600);
    await assertContent(file, Buffer.alloc(SIZE), 0);
  });

  it('that failed in between leaves a shorter file, of which all mounts are told, and can be asked for again', async () => {
    const file = await opened();
    const { cluster, mediator, inode, content } = file;
    const one = await join(mediator, 'm0');
    const other = await join(mediator, 'm1');
    const id: RequestId = ['m0', 0, 1];
    const request = { inode, changes: { sizeBytes: 100 }, caller: CALLER, id };
    cluster.kills.push({ under: 'trim', when: 'after' }, { under: 'trim', when: 'late' });
    await assert.rejects(mediator.files.setattr(request, one.options), { code: 'DEADLINE' });
    const outdated = [{ inode, content: true }];
    assert.deepEqual([await one.heard(), await other.heard()], [outdated, outdated]);
    const left = await read(mediator, inode);
    assert.equal(left.length, 1076 * BLOCK);
    // Its commit may still have come: what it has put stays until a scrub.
    await eventually(async () => (await cluster.garbage()) === 0);
    await untilEachHolds(cluster.replicas, 1077);
    await mediator.admin.scrub({});
    await assertContent(file, content.subarray(0, left.length), 1076);

    await mediator.files.setattr({ ...request, again: true }, one.options);
    assert.deepEqual(await other.heard(), outdated);
    await assertContent(file, content.subarray(0, 100), 4);
    const steps = calls(cluster, 'trim');
    await write(mediator, inode, 0, content.subarray(0, 200));
    await mediator.files.setattr({ ...request, again: true }, one.options);
    assert.equal(calls(cluster, 'trim'), steps, 'it had been carried out');
    await assertContent(file, content.subarray(0, 200), 7);
  });
});
