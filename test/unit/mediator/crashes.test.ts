// Crashes of the metaserver: what was answered is all there afterwards, or fsync's verifier says that it is not.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Mediator } from '../../../src/mediator/mediator.js';
import { ROOT_INODE } from '../../../src/protocol/services/files.js';
import type { RequestId } from '../../../src/protocol/values/request-ids.js';
import { isUnbroken, type Verifier } from '../../../src/protocol/values/verifier.js';
import { eventually, makeFile, writeText } from '../../support/fake-cluster.js';
import { makeRequest } from '../metaserver/harness.js';
import { CALLER, openWithFile } from './fixture.js';

const parent = ROOT_INODE;

/** All names with all that is to be seen of what they stand for. */
async function everything({ files }: Mediator, inode: number = ROOT_INODE): Promise<object[]> {
  const { entries } = await files.readdir({ inode, cookie: 0, limit: 1000, attributes: true });
  const below = entries
    .filter(({ kind }) => kind === 'directory')
    .map((entry) => everything({ files } as Mediator, entry.inode));
  const extended = entries.map(async (entry) => (await files.listxattr({ inode: entry.inode })).names);
  return [entries, ...(await Promise.all(extended)), ...(await Promise.all(below)).flat()];
}

async function verifierOf({ files }: Mediator): Promise<Verifier> {
  return (await files.fsync({ inode: ROOT_INODE })).verifier;
}

/** One change of every kind, each answered; some take an id that their client uses again. */
async function changeEverything({ files }: Mediator, inode: number): Promise<void> {
  const id = (sequence: number): RequestId => ['mount', 0, sequence];
  const folder = await files.mkdir({ parent, name: 'd', mode: 0o755, caller: CALLER, id: id(1) });
  const inFolder = { parent: folder.attributes.inode };
  const made = await files.create({
    ...{ ...inFolder, name: 'f', mode: 0o644, exclusive: true, forWriting: true, caller: CALLER },
    id: id(2),
  });
  await files.create({ ...inFolder, name: 'f', mode: 0o644, exclusive: false, forWriting: true, caller: CALLER });
  await files.symlink({ ...inFolder, name: 's', target: 't', caller: CALLER });
  await files.mknod({ ...inFolder, name: 'n', kind: 'fifo', mode: 0o600, device: 0, caller: CALLER });
  await files.link({ inode, ...inFolder, name: 'l' });
  await files.rename({ parent, name: 'a', newParent: inFolder.parent, newName: 'b', mode: 'replace', held: [] });
  const whitened = {
    parent,
    name: 'w',
    newParent: inFolder.parent,
    newName: 'w',
    mode: 'no-replace',
    held: [],
  } as const;
  await files.mknod({ parent, name: 'w', kind: 'fifo', mode: 0o600, device: 0, caller: CALLER });
  await files.rename({ ...whitened, held: [], whiteout: CALLER });
  await files.unlink({ ...inFolder, name: 'l', held: [] });
  await files.mkdir({ ...inFolder, name: 'gone', mode: 0o755, caller: CALLER });
  await files.rmdir({ ...inFolder, name: 'gone' });
  await files.setattr({ inode, changes: { mode: 0o600, modifyTimeNs: 5n }, caller: CALLER, id: id(3) });
  const { inode: file } = made.attributes;
  await files.setxattr({ inode: file, name: 'user.kept', value: Buffer.of(1), mode: 'set' });
  await files.setxattr({ inode: file, name: 'user.gone', value: Buffer.of(1), mode: 'set' });
  await files.removexattr({ inode: file, name: 'user.gone' });
  const unnamed = await files.createUnnamed({ parent, mode: 0o644, forWriting: true, caller: CALLER });
  await files.link({ inode: unnamed.attributes.inode, parent, name: 'named' });
}

describe('after a crash of the metaserver, changes that were answered', () => {
  const opened = async () => {
    const parts = await openWithFile();
    await parts.mediator.files.fsync({ inode: ROOT_INODE });
    return { ...parts, before: await verifierOf(parts.mediator) };
  };

  /** Resolves when nothing that was answered would be carried out again, since all is on the metaserver's disk. */
  const untilStored = (mediator: Mediator) => eventually(() => mediator.kept().unsyncedCommands === 0);

  for (const kept of ['none', 'the first', 'all'] as const) {
    it(`are all there, under the same numbers, where the disk had ${kept} of them`, async () => {
      const { cluster, mediator, inode, before } = await opened();
      if (kept === 'the first') {
        await makeFile(mediator, 'first');
        await writeText(mediator, inode, 'all before this is stored');
      }
      await changeEverything(mediator, inode);
      if (kept === 'all') await cluster.storeMetadata();
      const there = await everything(mediator);
      await cluster.crashMetaserver();
      assert.deepEqual(await everything(mediator), there);
      assert.ok(isUnbroken(before, await verifierOf(mediator)));
    });
  }

  it('are there after several crashes, one of them while they are carried out again', async () => {
    const { cluster, mediator, inode, before } = await opened();
    await changeEverything(mediator, inode);
    const there = await everything(mediator);
    cluster.kills.push({ under: 'link', when: 'after', meanwhile: () => cluster.crashMetaserver() });
    await cluster.crashMetaserver();
    assert.deepEqual(await everything(mediator), there);
    assert.equal(cluster.kills.length, 0);
    await cluster.crashMetaserver();
    assert.deepEqual(await everything(mediator), there);
    assert.ok(isUnbroken(before, await verifierOf(mediator)));
  });

  it('are carried out again before anything else is asked, in one process after the other', async () => {
    const { cluster, mediator, before } = await opened();
    const folder = await mediator.files.mkdir({ parent, name: 'd', mode: 0o755, caller: CALLER });
    const crashing = cluster.crashMetaserver();
    const inFolder = { parent: folder.attributes.inode, name: 'x' };
    await mediator.files.mkdir({ ...inFolder, mode: 0o755, caller: CALLER });
    await mediator.files.lookup(inFolder);
    await crashing;
    assert.ok(isUnbroken(before, await verifierOf(mediator)));
  });

  it('are there although the new process was hung while it was told of them', async () => {
    const { cluster, mediator, inode, before } = await opened();
    await changeEverything(mediator, inode);
    const there = await everything(mediator);
    cluster.kills.push({ under: 'rename', when: 'late' });
    await cluster.crashMetaserver();
    await eventually(() => cluster.kills.length === 0);
    assert.deepEqual(await everything(mediator), there);
    assert.ok(isUnbroken(before, await verifierOf(mediator)));
  });

  it('are there, and not carried out twice, where what was made has gone since, and both are on the disk', async () => {
    const { cluster, mediator, before } = await opened();
    await mediator.files.mkdir({ parent, name: 'd', mode: 0o755, caller: CALLER, id: ['mount', 0, 1] });
    await mediator.files.rmdir({ parent, name: 'd', id: ['mount', 2, 1] });
    await mediator.files.mkdir({ parent, name: 'e', mode: 0o755, caller: CALLER, id: ['mount', 2, 2] });
    await cluster.storeMetadata();
    await cluster.crashMetaserver();
    assert.equal(await listed(mediator), 'a,e');
    assert.ok(isUnbroken(before, await verifierOf(mediator)));
  });

  it('are there although others were refused between them', async () => {
    const { cluster, mediator, before } = await opened();
    await mediator.files.mkdir({ parent, name: 'd', mode: 0o755, caller: CALLER });
    await assert.rejects(mediator.files.mkdir({ parent, name: 'd', mode: 0o755, caller: CALLER }), { code: 'EEXIST' });
    await mediator.files.mkdir({ parent, name: 'e', mode: 0o755, caller: CALLER });
    await cluster.crashMetaserver();
    assert.equal(await listed(mediator), 'a,d,e');
    assert.ok(isUnbroken(before, await verifierOf(mediator)));
  });

  it('are there although a write between them got no answer', async () => {
    const { cluster, mediator, inode, before } = await opened();
    await writeText(mediator, inode, 'clear');
    cluster.metaserverDisk.beforeWrite = async () => {
      throw new Error('no space left');
    };
    await assert.rejects(writeText(mediator, inode, 'unclear'), { code: 'OUTCOME_UNKNOWN' });
    await assert.rejects(mediator.files.mkdir({ parent, name: 'after', mode: 0o755, caller: CALLER }), { code: 'EIO' });
    delete cluster.metaserverDisk.beforeWrite;
    const made = () => mediator.files.mkdir({ parent, name: 'after', mode: 0o755, caller: CALLER });
    await eventually(() =>
      made().then(
        () => true,
        () => false,
      ),
    );
    await cluster.crashMetaserver();
    assert.equal(await listed(mediator), 'a,after');
    assert.ok(isUnbroken(before, await verifierOf(mediator)));
  });

  it('are there where they were too many to be kept while the disk took none, and what was built upon them', async () => {
    const { cluster, mediator, before } = await opened();
    let store = () => {};
    const stored = new Promise<void>((resolve) => {
      store = resolve;
    });
    cluster.metaserverDisk.beforeWrite = () => stored;
    const accessed = (second: number) => ({ accessTimeNs: BigInt(second) });
    for (let second = 0; second < 4097; second++) {
      await mediator.files.setattr({ inode: ROOT_INODE, changes: accessed(second), caller: CALLER });
    }
    const unlinked = mediator.files.unlink({ parent, name: 'a', held: [] });
    const created = unlinked.then(() => makeFile(mediator, 'a'));
    await cluster.runtime.clock.sleep(1000);
    assert.equal(await listed(mediator), 'a', 'nobody sees what is not answered');
    delete cluster.metaserverDisk.beforeWrite;
    store();
    const inode = await created;
    await cluster.crashMetaserver();
    assert.equal((await mediator.files.lookup({ parent, name: 'a' })).inode, inode);
    assert.ok(isUnbroken(before, await verifierOf(mediator)));
  });

  it('are asked to be stored again where that failed', async () => {
    const { cluster, mediator } = await opened();
    cluster.metaserverDisk.beforeWrite = async () => {
      throw new Error('no space left');
    };
    await makeFile(mediator, 'b');
    await cluster.runtime.clock.sleep(1000);
    delete cluster.metaserverDisk.beforeWrite;
    await untilStored(mediator);
  });

  it('are asked to be stored by themselves, so that they need not be carried out again for ever', async () => {
    const { cluster, mediator } = await opened();
    await makeFile(mediator, 'b');
    await untilStored(mediator);
    await cluster.crashMetaserver();
    await mediator.files.lookup({ parent, name: 'b' });
    const repeated = cluster.events.filter(({ event }) => event === 'metadata.repeated');
    assert.deepEqual(
      repeated.map(({ commands }) => commands),
      [0],
    );
  });

  it('are there although the client that made them has ended its session since', async () => {
    const { cluster, mediator, before } = await opened();
    const options = { peer: {} };
    await mediator.sessions.begin({ client: 'mount', open: [], locks: [], mediator: null }, options);
    const make = (name: string, id: RequestId) =>
      mediator.files.mkdir({ parent, name, mode: 0o755, caller: CALLER, id }, options);
    await make('d', ['mount', 0, 1]);
    await mediator.files.rmdir({ parent, name: 'd', id: ['mount', 0, 2] }, options);
    await mediator.sessions.end({}, options);
    await make('d', ['other', 0, 1]);
    await cluster.storeMetadata();
    await cluster.crashMetaserver();
    assert.equal((await mediator.files.lookup({ parent, name: 'd' })).kind, 'directory');
    assert.ok(isUnbroken(before, await verifierOf(mediator)));
  });

  it('make mounts forget what they know, since they may have seen more', async () => {
    const { cluster, mediator } = await opened();
    const options = { peer: {} };
    const { last } = await mediator.sessions.begin({ client: 'a', open: [], locks: [], mediator: null }, options);
    const waiting = mediator.sessions.changes({ after: last, closed: [] }, options);
    await cluster.crashMetaserver();
    assert.equal((await waiting).missed, true);
  });

  describe('are lost, as the verifier says,', () => {
    it('where somebody else took the name meanwhile; what came before is there, and nothing that came after', async () => {
      const { cluster, mediator, before } = await opened();
      const other = await cluster.mediator({ maintenance: false });
      for (const name of ['one', 'two', 'three']) {
        await mediator.files.mkdir({ parent, name, mode: 0o755, caller: CALLER });
      }
      const taken = () => other.files.mkdir({ parent, name: 'two', mode: 0o700, caller: CALLER });
      cluster.kills.push({ under: 'statistics', when: 'before', meanwhile: taken });
      await cluster.crashMetaserver();
      const { verifier } = await mediator.files.fsync({ inode: ROOT_INODE });
      assert.equal(isUnbroken(before, verifier), false);
      assert.equal(await listed(mediator), 'a,two,one');
      const metrics = await mediator.metrics();
      assert.match(metrics, /event="repeatedCommands"\} 1\n/);
      assert.match(metrics, /event="undoneCommands"\} 2\n/);
      // They are not carried out at the next occasion either.
      await other.files.rmdir({ parent, name: 'two' });
      await other.files.fsync({ inode: ROOT_INODE });
      await cluster.crashMetaserver();
      assert.equal(await listed(mediator), 'a,one');
      assert.ok(isUnbroken(verifier, await verifierOf(mediator)));
    });

    it('where what they answered stands for something else now', async () => {
      const { cluster, mediator, before } = await opened();
      const other = await cluster.mediator({ maintenance: false });
      const x = { parent, name: 'x', mode: 0o644, forWriting: false, caller: CALLER };
      await mediator.files.create({ ...x, exclusive: false });
      const taken = () => other.files.create({ ...x, exclusive: true });
      cluster.kills.push({ under: 'statistics', when: 'before', meanwhile: taken });
      await cluster.crashMetaserver();
      assert.equal(isUnbroken(before, await verifierOf(mediator)), false);
    });

    it('where one before them got no answer: they may have been built upon it', async () => {
      const { cluster, mediator, before } = await opened();
      await makeFile(mediator, 'kept');
      cluster.kills.push({ under: 'make', when: 'late' });
      await assert.rejects(makeFile(mediator, 'unclear'), { code: 'DEADLINE' });
      await mediator.files.mkdir({ parent, name: 'after', mode: 0o755, caller: CALLER });
      await cluster.crashMetaserver();
      assert.equal(await listed(mediator), 'a,kept');
      assert.equal(isUnbroken(before, await verifierOf(mediator)), false);
    });

    it('where an earlier mediator was answered what this one does not know to be stored', async () => {
      const { cluster, mediator } = await opened();
      cluster.metaserverDisk.beforeWrite = () => new Promise(() => {});
      await mediator.files.rename({ parent, name: 'a', newParent: parent, newName: 'b', mode: 'replace', held: [] });
      await mediator.close();
      const next = await cluster.mediator();
      await next.files.unlink({ parent, name: 'b', held: [] });
      delete cluster.metaserverDisk.beforeWrite;
      await cluster.crashMetaserver();
      assert.equal(await listed(next), 'a');
      // From then on it knows all that there is.
      await makeFile(next, 'c');
      await cluster.crashMetaserver();
      assert.equal(await listed(next), 'a,c');
    });

    it('where both have crashed', async () => {
      const { cluster, mediator, before } = await opened();
      await makeFile(mediator, 'b');
      await mediator.close();
      await cluster.crashMetaserver();
      const next = await cluster.mediator();
      assert.equal(await listed(next), 'a');
      assert.equal(isUnbroken(before, await verifierOf(next)), false);
    });

    it('also when the sync was under way', async () => {
      const { cluster, mediator, before } = await opened();
      await mediator.files.mkdir({ parent, name: 'two', mode: 0o755, caller: CALLER });
      const request = makeRequest(parent, 'two', 'directory');
      const meanwhile = () =>
        cluster.crashMetaserver(cluster, (metadata) =>
          metadata.execute({ name: 'make', timeNs: 1n, request, durable: false }),
        );
      cluster.kills.push({ under: 'sync', when: 'before', meanwhile });
      assert.equal(isUnbroken(before, await verifierOf(mediator)), false);
    });
  });

  it('are no question where the metaserver was stopped in order, also when one got no answer', async () => {
    const { cluster, mediator, inode, before } = await opened();
    await writeText(mediator, inode, 'old');
    // The writer asks once more by itself.
    cluster.kills.push({ under: 'commit', when: 'late' }, { under: 'commit', when: 'late' });
    await assert.rejects(writeText(mediator, inode, 'new'), { code: 'DEADLINE' });
    await makeFile(mediator, 'after');
    await cluster.restartMetaserver();
    assert.equal(await listed(mediator), 'a,after');
    assert.deepEqual(await verifierOf(mediator), before);
    assert.equal(
      cluster.events.some(({ event }) => event === 'metadata.repeated' || event === 'metadata.undone'),
      false,
    );
  });

  it('are no question to an fsync that is asked before anybody knows who answers', async () => {
    const { cluster, mediator, before } = await opened();
    const crashing = cluster.crashMetaserver();
    assert.notEqual((await verifierOf(mediator)).history, before.history);
    await crashing;
  });

  it('are no question where only the mediator is another', async () => {
    const { cluster, mediator, before } = await opened();
    await makeFile(mediator, 'b');
    await mediator.close();
    const next = await cluster.mediator();
    assert.equal(await listed(next), 'a,b');
    assert.ok(isUnbroken(before, await verifierOf(next)));
  });
});

describe('a metaserver of another cluster', () => {
  it('is told nothing, and everybody who asks hears why', async () => {
    const { cluster, mediator } = await openWithFile();
    const { cluster: foreign } = await openWithFile();
    await makeFile(mediator, 'b');
    await cluster.crashMetaserver(foreign);
    await assert.rejects(mediator.files.getattr({ inode: ROOT_INODE }), { code: 'REFUSED' });
    await assert.rejects(mediator.files.fsync({ inode: ROOT_INODE }), { code: 'REFUSED' });
    await cluster.crashMetaserver();
    assert.equal(await listed(mediator), 'a,b');
  });
});

async function listed({ files }: Mediator): Promise<string> {
  const { entries } = await files.readdir({ inode: ROOT_INODE, cookie: 0, limit: 100, attributes: false });
  return entries.map(({ name }) => name).join();
}
