// Changes of names that are answered before the metaserver has them: when they get
// there, what becomes of them when something fails, and when nobody is answered early.
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'mocha';
import type { Mediator } from '../../../src/mediator/mediator.js';
import { malformed } from '../../../src/protocol/errors.js';
import { type FileService, ROOT_INODE } from '../../../src/protocol/services/files.js';
import type { MetaserverService } from '../../../src/protocol/services/metadata.js';
import { isUnbroken } from '../../../src/protocol/values/verifier.js';
import { AnsweringMediator } from '../../support/answering-mediator.js';
import { eventually, type FakeCluster, type Kill } from '../../support/fake-cluster.js';
import { makeRequest, memoryPlaces, TestMetaserver, withPlace } from '../metaserver/harness.js';
import { CALLER, calls, openCluster } from './fixture.js';

const ROOT = ROOT_INODE;

let cluster: FakeCluster;
let mediator: Mediator;
/** As a mount in the mediator's process has them. */
let files: FileService;
let folder: number;

/** The calls that the metaserver got while `work` was done. */
async function callsOf(work: () => Promise<unknown>): Promise<string[]> {
  const before = new Map(cluster.metadataCalls);
  await work();
  return [...cluster.metadataCalls].filter(([name, count]) => count !== before.get(name)).map(([name]) => name);
}

function mkdir(name: string, parent = folder) {
  return files.mkdir({ parent, name, mode: 0o755, caller: CALLER });
}

function rename(name: string, newName: string) {
  return files.rename({ parent: folder, name, newParent: folder, newName, mode: 'replace', held: [] });
}

/** By the metaserver, unless another service is given. */
async function namesIn(inode: number, of: FileService = mediator.files): Promise<string[]> {
  const { entries } = await of.readdir({ inode, cookie: 0, limit: 100, attributes: false });
  return entries.map(({ name }) => name).sort();
}

async function verifier() {
  return (await files.fsync({ inode: ROOT })).verifier;
}

beforeEach(async () => {
  ({ cluster, mediator } = await openCluster());
  files = mediator.ownFiles;
  folder = (await mkdir('folder', ROOT)).attributes.inode;
  // From here on the mediator knows the folder and those above, and has numbers for inodes.
  await mkdir('0');
  await rename('0', 'first');
  await files.fsync({ inode: ROOT });
});

describe('a mount in the mediator’s process', () => {
  it('is answered without the metaserver, which gets all changes in one message', async () => {
    const before = calls(cluster, 'executeAll');
    const alone = await callsOf(async () => {
      await mkdir('a');
      const { attributes } = await mkdir('b');
      await rename('a', 'c');
      await files.setattr({ inode: attributes.inode, changes: { mode: 0o700 }, caller: CALLER });
      await assert.rejects(mkdir('c'), { code: 'EEXIST' });
      await assert.rejects(rename('a', 'd'), { code: 'ENOENT' });
      await files.rmdir({ parent: folder, name: 'c' });
      await assert.rejects(files.link({ inode: attributes.inode, parent: folder, name: 'e' }), { code: 'EPERM' });
      assert.equal((await files.getattr({ inode: attributes.inode })).mode, 0o700);
      assert.equal((await files.lookup({ parent: folder, name: 'b' })).inode, attributes.inode);
      await assert.rejects(files.lookup({ parent: folder, name: 'c' }), { code: 'ENOENT' });
    });
    assert.deepEqual(alone, []);
    await eventually(() => calls(cluster, 'executeAll') === before + 1);
    assert.deepEqual(await namesIn(folder, mediator.files), ['b', 'first']);
  });

  it('lists a directory without the metaserver once all of it is known, as the metaserver does', async () => {
    const lists = (of: FileService, cookie = 0, limit = 100) =>
      of.readdir({ inode: folder, cookie, limit, attributes: true });
    for (const name of ['c', 'a', 'b', 'd']) await mkdir(name);
    await rename('a', 'e');
    await files.rmdir({ parent: folder, name: 'b' });
    await rename('d', 'c');
    const alone = await callsOf(async () => {
      const { entries, done } = await lists(files);
      assert.deepEqual([entries.map(({ name }) => name), done], [['first', 'c', 'e'], true]);
      const [, second] = entries;
      assert.equal((await lists(files, 0, 2)).done, false);
      assert.deepEqual((await lists(files, second?.cookie, 2)).entries, entries.slice(2));
    });
    assert.deepEqual(alone, []);
    assert.deepEqual(await lists(files), await lists(mediator.files));
  });

  it('lists what it knew nothing of without the metaserver from the second time on', async () => {
    for (const name of ['a', 'b', 'c']) await mkdir(name);
    await cluster.crashMetaserver();
    await files.getattr({ inode: folder });
    assert.deepEqual(await namesIn(folder, files), ['a', 'b', 'c', 'first']);
    assert.deepEqual(await callsOf(() => namesIn(folder, files)), []);
    // A name alone does not say where it stands in a listing.
    await cluster.crashMetaserver();
    for (const name of ['first', 'c', 'b', 'a']) await files.lookup({ parent: folder, name });
    assert.deepEqual(await callsOf(() => namesIn(folder, files)), ['readdir']);
    assert.deepEqual(await callsOf(() => namesIn(folder, files)), []);
  });

  it('lists anew what others have changed', async () => {
    await mkdir('a');
    await namesIn(folder, files);
    await mediator.files.mkdir({ parent: folder, name: 'b', mode: 0o755, caller: CALLER });
    assert.deepEqual(await namesIn(folder, files), ['a', 'b', 'first']);
    const request = { parent: folder, name: 'file', mode: 0o644, exclusive: true, forWriting: true, caller: CALLER };
    const { inode } = (await files.create(request)).attributes;
    await files.write({ inode, extents: [{ offset: 0, data: Buffer.from('text') }], modifyTimeNs: 1n });
    const { entries } = await files.readdir({ inode: folder, cookie: 0, limit: 100, attributes: true });
    assert.equal(entries.find(({ name }) => name === 'file')?.attributes?.sizeBytes, 4);
    await assert.rejects(namesIn(inode, files), { code: 'ENOTDIR' });
  });

  it('sees its changes in all that it asks the metaserver for', async () => {
    await mkdir('a');
    assert.deepEqual(await namesIn(folder), ['a', 'first']);
    await rename('a', 'b');
    assert.deepEqual(await namesIn(folder), ['b', 'first']);
  });

  it('and others see them too', async () => {
    await mkdir('a');
    assert.deepEqual(await namesIn(folder, mediator.files), ['a', 'first']);
    const { attributes } = await mkdir('b');
    const asked = await mediator.files.lookup({ parent: folder, name: 'b' });
    assert.equal(asked.inode, attributes.inode);
  });

  it('writes files that the metaserver has not heard of before', async () => {
    const request = { parent: folder, name: 'file', mode: 0o644, exclusive: true, forWriting: true, caller: CALLER };
    const { inode } = (await files.create(request)).attributes;
    await files.write({ inode, extents: [{ offset: 0, data: Buffer.from('text') }], modifyTimeNs: 1n });
    await files.setattr({ inode, changes: { mode: 0o600 }, caller: CALLER });
    const found = await mediator.files.lookup({ parent: folder, name: 'file' });
    assert.deepEqual([found.inode, found.sizeBytes, found.mode], [inode, 4, 0o600]);
  });

  it('has its changes on the metaserver’s disk when an fsync is answered', async () => {
    await mkdir('a');
    await files.fsync({ inode: folder });
    await cluster.crashMetaserver();
    assert.deepEqual(await namesIn(folder, (await cluster.mediator()).files), ['a', 'first']);
  });

  it('loses nothing when the metaserver crashes before it has them', async () => {
    const first = await verifier();
    await mkdir('a');
    await rename('a', 'b');
    await cluster.crashMetaserver();
    assert.deepEqual(await namesIn(folder), ['b', 'first']);
    assert.ok(isUnbroken(first, await verifier()));
  });

  it('loses nothing when the metaserver crashes after it has them, and has more to come', async () => {
    await mkdir('a');
    await namesIn(folder);
    await rename('a', 'b');
    await cluster.crashMetaserver();
    assert.deepEqual(await namesIn(folder), ['b', 'first']);
  });

  it('loses nothing when the metaserver is ended in order', async () => {
    await mkdir('a');
    await cluster.restartMetaserver();
    assert.deepEqual(await namesIn(folder), ['a', 'first']);
    await cluster.crashMetaserver();
    assert.deepEqual(await namesIn(folder), ['a', 'first']);
  });

  for (const orderly of [false, true]) {
    it(`loses nothing that comes after ${orderly ? 'a stop' : 'a crash'} of the metaserver that has brought back older rows`, async () => {
      await mkdir('a');
      const before = await verifier();
      const [client = ''] = before.mediator.split('/');
      const forget = async (metadata: MetaserverService) => {
        await metadata.execute({ name: 'forgetResults', timeNs: 1n, request: { client }, durable: true });
      };
      await (orderly ? cluster.restartMetaserver(forget) : cluster.crashMetaserver(cluster, forget));
      await mkdir('b');
      await rename('b', 'c');
      assert.equal((await verifier()).mediator, before.mediator);
      assert.deepEqual(await namesIn(folder), ['a', 'c', 'first']);
    });
  }

  it('does not take `..` for a name in a directory', async () => {
    await cluster.crashMetaserver();
    await files.getattr({ inode: folder });
    await files.lookup({ parent: folder, name: '..' });
    await assert.rejects(mkdir('first'), { code: 'EEXIST' });
  });

  it('loses nothing when the metaserver is ended in order, and the next one crashes before it has them', async () => {
    const first = await verifier();
    await mkdir('a');
    cluster.kills.push({ under: 'executeAll', when: 'before', meanwhile: () => cluster.crashMetaserver() });
    await cluster.restartMetaserver();
    assert.deepEqual(await namesIn(folder), ['a', 'first']);
    assert.equal(cluster.kills.length, 0);
    assert.ok(isUnbroken(first, await verifier()));
  });

  const kills: Kill['when'][][] = [['before'], ['after'], ['before', 'after'], ['late']];
  for (const when of kills) {
    it(`has each change made once, and in order, when the connection is lost: ${when.join(', ')}`, async () => {
      const first = await verifier();
      cluster.kills.push(...when.map((each): Kill => ({ under: 'executeAll', when: each })));
      await mkdir('a');
      await rename('a', 'b');
      await mkdir('a');
      await files.rmdir({ parent: folder, name: 'first' });
      await eventually(() => cluster.kills.length === 0);
      assert.deepEqual(await namesIn(folder), ['a', 'b']);
      assert.ok(isUnbroken(first, await verifier()));
    });
  }

  it('hears by an fsync of a change that the metaserver could not make', async () => {
    const first = await verifier();
    const other = await cluster.mediator({ maintenance: false });
    const { attributes } = await mkdir('a');
    await namesIn(folder);
    await other.files.rmdir({ parent: folder, name: 'a' });
    await files.setattr({ inode: attributes.inode, changes: { mode: 0o700 }, caller: CALLER });
    assert.ok(!isUnbroken({ ...first, history: '' }, await verifier()));
    assert.ok(cluster.events.some(({ event }) => event === 'metadata.not_carried_out'));
    assert.deepEqual(await namesIn(folder), ['first']);
  });

  it('hears of it also when the first answer about it is lost, and later changes were made', async () => {
    const first = await verifier();
    const other = await cluster.mediator({ maintenance: false });
    const { attributes } = await mkdir('a');
    await namesIn(folder);
    await other.files.rmdir({ parent: folder, name: 'a' });
    cluster.kills.push({ under: 'executeAll', when: 'after' });
    await files.setattr({ inode: attributes.inode, changes: { mode: 0o700 }, caller: CALLER });
    await mkdir('z');
    await eventually(() => cluster.kills.length === 0);
    assert.deepEqual(await namesIn(folder), ['first', 'z']);
    assert.ok(!isUnbroken({ ...first, history: '' }, await verifier()));
  });

  it('hears by an fsync that the metaserver takes none of its changes, and goes on', async () => {
    await withPlace(memoryPlaces, async ({ factory }) => {
      const server = await TestMetaserver.open(factory);
      let isStrict = false;
      const strict: MetaserverService = {
        ...server.server,
        executeAll: async (request, options) => {
          if (isStrict && request.commands.length > 0) throw malformed('a command of another version');
          return server.server.executeAll(request, options);
        },
      };
      const answering = await AnsweringMediator.open(strict, cluster.runtime);
      const make = (name: string) =>
        answering.early.execute({ name: 'make', timeNs: 9n, request: makeRequest(ROOT, name), durable: false });
      await make('a');
      await make('b');
      await answering.early.sync({});
      const first = answering.connection.verifier;
      isStrict = true;
      await make('c');
      await eventually(() => answering.lost === 1);
      isStrict = false;
      await make('d');
      await answering.close();
      assert.notEqual(answering.connection.verifier.mediator, first.mediator);
      assert.deepEqual((await server.names(ROOT)).sort(), ['a', 'b', 'd']);
      await server.close();
    });
  });

  it('is counted as a request like any other, changes and questions: upkeep waits for a pause', async () => {
    await withPlace(memoryPlaces, async ({ factory }) => {
      const server = await TestMetaserver.open(factory);
      let asked = 0;
      const counting: MetaserverService = {
        ...server.server,
        query: (...call) => {
          asked++;
          return server.server.query(...call);
        },
      };
      const answering = await AnsweringMediator.open(counting, cluster.runtime);
      const { early, connection } = answering;
      for (const name of ['a', 'b'])
        await early.execute({ name: 'make', timeNs: 9n, request: makeRequest(ROOT, name), durable: false });
      const before = { asked, calls: connection.calls };
      const lookup = () => early.query({ name: 'lookup', request: { parent: ROOT, name: 'b' } });
      await lookup();
      const request = { parent: ROOT, name: 'b', held: [] };
      await early.execute({ name: 'unlink', timeNs: 9n, request, durable: false });
      await assert.rejects(lookup, { code: 'ENOENT' });
      assert.deepEqual({ asked, calls: connection.calls }, { asked: before.asked, calls: before.calls + 3 });
      await answering.close();
      await server.close();
    });
  });

  it('is not answered early while other mounts are there', async () => {
    for (const client of ['a', 'b']) {
      await mediator.sessions.begin({ client, open: [], locks: [], mediator: null }, { peer: {} });
    }
    assert.deepEqual(await callsOf(() => mkdir('a')), ['make']);
  });

  it('is not answered early while the metaserver can’t be reached', async () => {
    const crash = cluster.crashMetaserver();
    const making = mkdir('a');
    await crash;
    await making;
    assert.deepEqual(await namesIn(folder), ['a', 'first']);
  });

  it('is not answered early about what it does not know, nor where many are not confirmed', async () => {
    cluster.metaserverDisk.beforeWrite = () => new Promise(() => {});
    for (let at = 0; at < 5000; at++) void mkdir(`${at}`);
    assert.ok((mediator.kept().unsyncedCommands ?? 0) <= 4200);
    delete cluster.metaserverDisk.beforeWrite;
  });

  it('leaves nothing behind that waits when the mediator is closed', async () => {
    await mkdir('a');
    await mediator.close();
    assert.deepEqual(await namesIn(folder, (await cluster.mediator()).files), ['a', 'first']);
  });
});
