// When an fsync has to ask the metaserver, and when it must say that something may be lost.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ROOT_INODE } from '../../../src/protocol/files.js';
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

  it('and says so when that process crashes then', async () => {
    const { cluster, mediator, inode } = await openWithFile();
    await mediator.files.fsync({ inode });
    await mediator.files.setattr({ inode, changes: { mode: 0o600 }, caller: CALLER });
    const asked = calls(cluster, 'statistics');
    cluster.reconnectMetaserver();
    await eventually(async () => calls(cluster, 'statistics') > asked);
    await mediator.files.getattr({ inode });
    cluster.restartMetaserver();
    await assert.rejects(mediator.files.fsync({ inode }), { code: 'EIO' });
  });

  it('after the mediator was started anew, when the disk did not take what the earlier one was answered', async () => {
    const { cluster, mediator, inode } = await openWithFile();
    await writeText(mediator, inode, 'old');
    cluster.metaserverDisk.beforeWrite = diskFails;
    await mediator.files.mkdir({ parent: ROOT_INODE, name: 'd', mode: 0o755, caller: CALLER });
    await assert.rejects(mediator.files.fsync({ inode }), { code: 'UNREACHABLE' });
    const next = await cluster.mediator();
    await assert.rejects(next.files.fsync({ inode }), { code: 'UNREACHABLE' });
    delete cluster.metaserverDisk.beforeWrite;
    await next.files.fsync({ inode });
  });

  it('after a write that the disk did not take, and that is to be seen', async () => {
    const { cluster, mediator, inode } = await openWithFile();
    await writeText(mediator, inode, 'old');
    cluster.metaserverDisk.beforeWrite = diskFails;
    await assert.rejects(writeText(mediator, inode, 'new and longer'), { code: 'UNREACHABLE' });
    assert.equal((await mediator.files.getattr({ inode })).sizeBytes, 14);
    await assert.rejects(mediator.files.fsync({ inode }), { code: 'UNREACHABLE' });
    delete cluster.metaserverDisk.beforeWrite;
    await mediator.files.fsync({ inode });
  });

  it('and mounts forget everything after such a write, since nobody can tell what it has changed', async () => {
    const { cluster, mediator, inode } = await openWithFile();
    const options = { peer: {} };
    const { last } = await mediator.sessions.begin({ client: 'a', open: [], locks: [] }, options);
    const waiting = mediator.sessions.changes({ after: last, closed: [] }, options);
    await writeText(mediator, inode, 'old');
    cluster.metaserverDisk.beforeWrite = diskFails;
    const { last: next } = await waiting;
    const missed = mediator.sessions.changes({ after: next, closed: [] }, options);
    await assert.rejects(writeText(mediator, inode, 'new'), { code: 'UNREACHABLE' });
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
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual(order, []);
    store();
    await Promise.all([writing, syncing]);
  });
});

describe('a sync after the metaserver was lost', () => {
  async function changed() {
    const opened = await openWithFile();
    const { mediator, inode } = opened;
    await mediator.files.fsync({ inode });
    await mediator.files.setattr({ inode, changes: { mode: 0o600 }, caller: CALLER });
    return { ...opened, sync: () => mediator.files.fsync({ inode }) };
  }

  it('fails once when another process answers, which may not know what was answered before', async () => {
    const { cluster, sync } = await changed();
    cluster.restartMetaserver();
    await assert.rejects(sync(), { code: 'EIO' });
    await sync();
  });

  it('has mounts forget what they know then', async () => {
    const { cluster, mediator } = await changed();
    const options = { peer: {} };
    const { last } = await mediator.sessions.begin({ client: 'a', open: [], locks: [] }, options);
    const waiting = mediator.sessions.changes({ after: last, closed: [] }, options);
    cluster.restartMetaserver();
    assert.equal((await waiting).missed, true);
  });

  it('fails once for every mount that was there, and for none that came later', async () => {
    const { cluster, mediator, inode, sync } = await changed();
    const peers = [{}, {}, {}].map((peer) => ({ peer }));
    const begin = (place: number) =>
      mediator.sessions.begin({ client: `mount ${place}`, open: [], locks: [] }, peers[place]);
    await begin(0);
    await begin(1);
    cluster.restartMetaserver();
    await assert.rejects(sync(), { code: 'EIO' });
    await begin(2);
    for (const place of [0, 1]) {
      await assert.rejects(mediator.files.fsync({ inode }, peers[place]), { code: 'EIO' });
      await mediator.files.fsync({ inode }, peers[place]);
    }
    await mediator.files.fsync({ inode }, peers[2]);
  });

  describe('fails for each file and folder that was changed', () => {
    async function withFolders() {
      const { cluster, mediator, inode } = await openWithFile();
      const make = async (name: string) =>
        (await mediator.files.mkdir({ parent: ROOT_INODE, name, mode: 0o755, caller: CALLER })).attributes.inode;
      const [one, other, third] = [await make('one'), await make('other'), await make('third')] as const;
      await mediator.files.fsync({ inode: ROOT_INODE });
      const sync = (inode: number) => mediator.files.fsync({ inode });
      return { cluster, mediator, inode, one, other, third, sync };
    }

    it('also when all ask at once, and then no more', async () => {
      const { cluster, mediator, inode, one, other, third, sync } = await withFolders();
      await mediator.files.link({ inode, parent: one, name: 'a' });
      await mediator.files.rename({
        ...{ parent: one, name: 'a', newParent: other, newName: 'b' },
        ...{ mode: 'replace', held: [] },
      });
      cluster.restartMetaserver();
      const answers = await Promise.allSettled([one, other, inode].map(sync));
      assert.deepEqual(
        answers.map(({ status }) => status),
        ['rejected', 'rejected', 'rejected'],
      );
      for (const each of [one, other, inode, third]) await sync(each);
    });

    it('although something else was told of it before', async () => {
      const { cluster, mediator, one, third, sync } = await withFolders();
      await mediator.files.symlink({ parent: one, name: 's', target: 't', caller: CALLER });
      cluster.restartMetaserver();
      await assert.rejects(sync(third), { code: 'EIO' }, 'the first that asks');
      await sync(third);
      await assert.rejects(sync(one), { code: 'EIO' });
      await sync(one);
    });

    it('and not for what was durable before', async () => {
      const { cluster, mediator, one, other, third, sync } = await withFolders();
      await mediator.files.symlink({ parent: one, name: 's', target: 't', caller: CALLER });
      await sync(one);
      await mediator.files.symlink({ parent: other, name: 's', target: 't', caller: CALLER });
      cluster.restartMetaserver();
      await assert.rejects(sync(third), { code: 'EIO' }, 'the first that asks');
      await sync(one);
      await assert.rejects(sync(other), { code: 'EIO' });
    });

    it('when the connection is lost again before anybody has asked who answers', async () => {
      const { cluster, mediator, one, other, third, sync } = await withFolders();
      await mediator.files.symlink({ parent: one, name: 's', target: 't', caller: CALLER });
      cluster.kills.push({ under: 'statistics', when: 'before' });
      cluster.restartMetaserver();
      await mediator.files.symlink({ parent: other, name: 's', target: 't', caller: CALLER });
      await assert.rejects(sync(third), { code: 'EIO' }, 'the first that asks');
      await assert.rejects(sync(one), { code: 'EIO' });
    });
  });

  it('is answered when the same process is back', async () => {
    const { cluster, sync } = await changed();
    cluster.reconnectMetaserver();
    await sync();
  });

  it('is answered when all was durable, also when the connection to the new process breaks later', async () => {
    const { cluster, mediator, inode, sync } = await changed();
    await sync();
    cluster.restartMetaserver();
    await sync();
    await mediator.files.setattr({ inode, changes: { mode: 0o640 }, caller: CALLER });
    cluster.reconnectMetaserver();
    await sync();
  });

  it('fails when the process that was asked who it is was lost too', async () => {
    const { cluster, sync } = await changed();
    cluster.kills.push({ under: 'statistics', when: 'before' });
    cluster.restartMetaserver();
    await assert.rejects(sync(), { code: 'EIO' });
  });
});
