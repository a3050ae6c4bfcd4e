// Files that go while somebody still votes on their blocks: nobody is blamed for what was rightly deleted, and nothing
// of them is remembered.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Mediator } from '../../../src/mediator/mediator.js';
import { ROOT_INODE } from '../../../src/protocol/services/files.js';
import { SESSION_GRACE_MS } from '../../../src/protocol/services/sessions.js';
import { eventually, type FakeCluster, makeFile, writeText } from '../../support/fake-cluster.js';
import { openCluster, text, untilEachHolds } from './fixture.js';

/** All `get` of a server wait until nothing of the file is left there. Answers how many have been answered. */
function lateBallots(cluster: FakeCluster): () => number {
  const replica = cluster.replica(5);
  const { blocks } = replica;
  const { get } = blocks;
  let answered = 0;
  blocks.get = async (request, options) => {
    await untilEachHolds([replica], 0);
    const reply = await get(request, options);
    answered++;
    return reply;
  };
  return () => answered;
}

/** As a program does that removes its file and reads on; resolves when it has closed it. */
async function readRemoved(mediator: Mediator): Promise<number> {
  const inode = await makeFile(mediator, 'a');
  await writeText(mediator, inode, 'there');
  await mediator.files.unlink({ parent: ROOT_INODE, name: 'a', held: [inode] });
  assert.equal(await text(mediator, inode), 'there');
  await mediator.files.release({ inode });
  return inode;
}

describe('a file that is removed while it is open', () => {
  it('is forgotten with its last close', async () => {
    const { cluster, mediator } = await openCluster();
    cluster.runtime.clock.jump(SESSION_GRACE_MS);
    const inode = await readRemoved(mediator);
    const opening = async () => mediator.files.open({ inode, forWriting: false });
    await assert.rejects(opening, { code: 'ENOENT' });
  });

  it('is no reason to blame a server that is asked for it afterwards', async () => {
    const { cluster, mediator } = await openCluster();
    const answered = lateBallots(cluster);
    await readRemoved(mediator);
    await eventually(() => answered() > 0);
    // Whoever would repair it has asked whether it counts.
    for (let round = 0; round < 3; round++) await mediator.files.statfs({});
    const { dataservers } = await mediator.admin.status({});
    assert.deepEqual(
      dataservers.map(({ dissents }) => dissents),
      [0, 0, 0, 0, 0],
    );
    assert.deepEqual(
      cluster.events.filter(({ level }) => level === 'warn' || level === 'error'),
      [],
    );
  });

  it('is no repair that failed when it goes during one', async () => {
    const { cluster, mediator } = await openCluster();
    // Sooner after a start, a file without a name stays: mounts may still say that they have it open.
    cluster.runtime.clock.jump(2 * SESSION_GRACE_MS);
    const inode = await makeFile(mediator, 'a');
    await writeText(mediator, inode, 'there');
    await cluster.replica(1).corrupt(inode, 0);
    // The repair's own vote finds nothing any more.
    let looks = 0;
    let answers = 0;
    for (const replica of cluster.replicas) {
      const { blocks } = replica;
      const { get } = blocks;
      blocks.get = async (request, options) => {
        if (++looks > 5) {
          await mediator.files.unlink({ parent: ROOT_INODE, name: 'a', held: [] }).catch(() => {});
          await untilEachHolds([replica], 0);
        }
        return get(request, options).finally(() => answers++);
      };
    }
    assert.equal(await text(mediator, inode), 'there');
    await eventually(() => cluster.events.some(({ event }) => event === 'vote.dissent'));
    await eventually(() => looks > 5 && answers === looks);
    for (let round = 0; round < 3; round++) await mediator.files.statfs({});
    assert.deepEqual(
      cluster.events.filter(({ level }) => level === 'error'),
      [],
    );
  });
});
