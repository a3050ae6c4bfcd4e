// When an fsync has to ask the metaserver, and when it must say that something may be lost.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ROOT_INODE } from '../../../src/protocol/services/files.js';
import { eventually, writeText } from '../../support/fake-cluster.js';
import { CALLER, calls, openWithFile } from './fixture.js';

describe('an fsync asks the metaserver', () => {
  const diskFails = async () => {
    throw new Error('no space left');
  };

  it('after the connection broke and the same process is back, with something answered and not stored', async () => {
    const { cluster, mediator, inode } = await openWithFile();
    await mediator.files.fsync({ inode });
    await mediator.files.setattr({ inode, changes: { mode: 0o600 }, caller: CALLER });
    cluster.reconnectMetaserver();
    const before = calls(cluster, 'sync');
    await mediator.files.fsync({ inode });
    assert.equal(calls(cluster, 'sync') - before, 1);
  });

  it('after the mediator was started anew, when the disk did not take what the earlier one was answered', async () => {
    const { cluster, mediator, inode } = await openWithFile();
    await writeText(mediator, inode, 'old');
    cluster.metaserverDisk.beforeWrite = diskFails;
    await mediator.files.mkdir({ parent: ROOT_INODE, name: 'd', mode: 0o755, caller: CALLER });
    await assert.rejects(mediator.files.fsync({ inode }), { code: 'OUTCOME_UNKNOWN' });
    const next = await cluster.mediator();
    await assert.rejects(next.files.fsync({ inode }), { code: 'OUTCOME_UNKNOWN' });
    delete cluster.metaserverDisk.beforeWrite;
    await next.files.fsync({ inode });
  });

  it('after a write that the disk did not take, and that is to be seen', async () => {
    const { cluster, mediator, inode } = await openWithFile();
    await writeText(mediator, inode, 'old');
    cluster.metaserverDisk.beforeWrite = diskFails;
    await assert.rejects(writeText(mediator, inode, 'new and longer'), { code: 'OUTCOME_UNKNOWN' });
    assert.equal((await mediator.files.getattr({ inode })).sizeBytes, 14);
    await assert.rejects(mediator.files.fsync({ inode }), { code: 'OUTCOME_UNKNOWN' });
    delete cluster.metaserverDisk.beforeWrite;
    await mediator.files.fsync({ inode });
  });

  it('and mounts forget everything after such a write, since nobody can tell what it has changed', async () => {
    const { cluster, mediator, inode } = await openWithFile();
    const options = { peer: {} };
    const { last } = await mediator.sessions.begin({ client: 'a', open: [], locks: [], mediator: null }, options);
    const waiting = mediator.sessions.changes({ after: last, closed: [] }, options);
    await writeText(mediator, inode, 'old');
    cluster.metaserverDisk.beforeWrite = diskFails;
    const { last: next } = await waiting;
    const missed = mediator.sessions.changes({ after: next, closed: [] }, options);
    await assert.rejects(writeText(mediator, inode, 'new'), { code: 'OUTCOME_UNKNOWN' });
    assert.equal((await missed).missed, true);
    delete cluster.metaserverDisk.beforeWrite;
  });

  it('while what another mount writes is to be seen and not stored', async () => {
    const { cluster, mediator, inode } = await openWithFile();
    await writeText(mediator, inode, 'old');
    let store = () => {};
    const stored = new Promise<void>((resolve) => {
      store = resolve;
    });
    cluster.metaserverDisk.beforeWrite = () => stored;
    const order: string[] = [];
    const writing = writeText(mediator, inode, 'new and longer').then(() => order.push('written'));
    await eventually(async () => (await mediator.files.getattr({ inode })).sizeBytes === 14);
    const syncing = mediator.files.fsync({ inode }).then(() => order.push('synced'));
    await cluster.runtime.clock.sleep(20);
    assert.deepEqual(order, []);
    store();
    await Promise.all([writing, syncing]);
  });
});
