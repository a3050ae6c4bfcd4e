// Calls that the metaserver is killed under: what is asked again, and what must not be.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { type FileService, ROOT_INODE } from '../../../src/protocol/services/files.js';
import type { CommandName } from '../../../src/protocol/services/metadata.js';
import type { Attempt, RequestId } from '../../../src/protocol/values/request-ids.js';
import { eventually, type Kill, makeFile, writeText } from '../../support/fake-cluster.js';
import { BLOCK, CALLER, calls, openWithFile, text, untilEachHolds } from './fixture.js';

describe('a commit that the metaserver is killed under', () => {
  const table: Kill['when'][][] = [['before'], ['after'], ['before', 'before', 'before'], ['before', 'after', 'after']];
  for (const kills of table) {
    it(`${kills.join(', then ')} it was carried out: is carried out once`, async () => {
      const { cluster, mediator, inode } = await openWithFile();
      await writeText(mediator, inode, 'old bytes');
      const { revision } = await mediator.files.getattr({ inode });
      cluster.kills.push(...kills.map((when): Kill => ({ under: 'commit', when })));
      await writeText(mediator, inode, 'new');
      assert.equal(cluster.kills.length, 0);
      assert.equal(await text(mediator, inode), 'new bytes');
      assert.equal((await mediator.files.getattr({ inode })).revision, revision + 1);
    });
  }

  it('keeps what it put although another writer has replaced a part of it before it is asked again', async () => {
    const { cluster, mediator, inode } = await openWithFile();
    const other = await cluster.mediator({ maintenance: false });
    cluster.kills.push({ under: 'commit', when: 'after', meanwhile: () => writeText(other, inode, 'another') });
    const data = Buffer.alloc(2 * BLOCK, 'x');
    await mediator.files.write({ inode, extents: [{ offset: 0, data }], modifyTimeNs: 1n });
    // What is taken back goes in the background, the metaserver's disk first.
    await mediator.files.setattr({ inode, changes: { mode: 0o600 }, caller: CALLER });
    await mediator.files.fsync({ inode });
    await new Promise((resolve) => setImmediate(resolve));
    for (const each of [mediator, other]) {
      await each.files.open({ inode, forWriting: false });
      assert.equal(await text(each, inode, 0, 10), 'anotherxxx');
      assert.equal(await text(each, inode, BLOCK, 10), 'xxxxxxxxxx');
    }
  });

  it('is carried out once when all it does is to cut, although others have written since', async () => {
    const { cluster, mediator, inode } = await openWithFile();
    const other = await cluster.mediator({ maintenance: false });
    await writeText(mediator, inode, 'old bytes');
    cluster.kills.push({ under: 'commit', when: 'after', meanwhile: () => writeText(other, inode, 'another') });
    await mediator.files.setattr({ inode, changes: { sizeBytes: 0 }, caller: CALLER });
    assert.equal(await text(mediator, inode), 'another');
  });
});

describe('a sync that the metaserver is killed under', () => {
  it('is not even sent when everything answered before is on its disk', async () => {
    const { cluster, mediator, inode } = await openWithFile();
    await writeText(mediator, inode, 'durable');
    const before = calls(cluster, 'sync');
    await mediator.files.fsync({ inode });
    assert.equal(calls(cluster, 'sync') - before, 0);
    await mediator.files.setattr({ inode, changes: { mode: 0o600 }, caller: CALLER });
    await mediator.files.fsync({ inode });
    await mediator.files.fsync({ inode });
    assert.equal(calls(cluster, 'sync') - before, 1);
  });

  it('is asked again, such as before the deletion of what a writer takes back', async () => {
    const { cluster, mediator, inode } = await openWithFile();
    const other = await cluster.mediator({ maintenance: false });
    const before = calls(cluster, 'sync');
    cluster.kills.push(
      { under: 'commit', when: 'before', meanwhile: () => writeText(other, inode, 'another') },
      { under: 'sync', when: 'before' },
      { under: 'sync', when: 'after' },
    );
    await mediator.files.write({ inode, extents: [{ offset: 0, data: Buffer.alloc(BLOCK, 'x') }], modifyTimeNs: 1n });
    // One for each server, and two that were lost; those that were under way at the same time were lost with them.
    await eventually(async () => calls(cluster, 'sync') - before >= cluster.replicas.length + 2);
    assert.equal(cluster.kills.length, 0);
  });
});

describe('other calls that the metaserver is killed under', () => {
  it('are asked again when they change nothing, or only skip version numbers', async () => {
    const { cluster, mediator, inode } = await openWithFile();
    cluster.kills.push(
      { under: 'allocate', when: 'before' },
      { under: 'allocate', when: 'after' },
      { under: 'attributes', when: 'before' },
      { under: 'attributes', when: 'before' },
    );
    await writeText(mediator, inode, 'written');
    assert.equal((await mediator.files.getattr({ inode })).sizeBytes, 7);
    assert.equal(cluster.kills.length, 0);
  });
});

describe('a change of names that the metaserver is killed under', () => {
  type Work = (files: FileService, inode: number) => Promise<unknown>;
  const parent = ROOT_INODE;
  /** On a root with the file `a`, that is `inode`, and the folder `d`. */
  const changes: [under: CommandName, work: Work, names: string][] = [
    ['make', (files) => files.mkdir({ parent, name: 'n', mode: 0o755, caller: CALLER }), 'a,d,n'],
    ['make', (files) => files.symlink({ parent, name: 'n', target: 't', caller: CALLER }), 'a,d,n'],
    [
      'make',
      (files) => files.create({ parent, name: 'n', mode: 0o644, exclusive: true, forWriting: true, caller: CALLER }),
      'a,d,n',
    ],
    ['makeUnnamed', (files) => files.createUnnamed({ parent, mode: 0o644, forWriting: true, caller: CALLER }), 'a,d'],
    ['link', (files, inode) => files.link({ inode, parent, name: 'n' }), 'a,d,n'],
    ['unlink', (files) => files.unlink({ parent, name: 'a', held: [] }), 'd'],
    ['rmdir', (files) => files.rmdir({ parent, name: 'd' }), 'a'],
    [
      'rename',
      (files) => files.rename({ parent, name: 'a', newParent: parent, newName: 'n', mode: 'no-replace', held: [] }),
      'd,n',
    ],
    [
      'setxattr',
      (files, inode) => files.setxattr({ inode, name: 'user.n', value: Buffer.of(1), mode: 'create' }),
      'a,d',
    ],
  ];

  for (const [under, work, names] of changes) {
    for (const when of ['before', 'after'] as const) {
      it(`${when} it was carried out: is carried out once: ${under}, ${names}`, async () => {
        const { cluster, mediator, inode } = await openWithFile();
        const { files } = mediator;
        await files.mkdir({ parent, name: 'd', mode: 0o755, caller: CALLER });
        const inodes = (await files.statfs({})).files;
        cluster.kills.push({ under, when }, { under, when: 'after' });
        await work(files, inode);
        assert.equal(cluster.kills.length, 0);
        const { entries } = await files.readdir({ inode: parent, cookie: 0, limit: 100, attributes: false });
        assert.equal(entries.map(({ name }) => name).join(), names);
        assert.ok(Math.abs((await files.statfs({})).files - inodes) <= 1);
      });
    }
  }

  it('fails when it must, and not because of its own first attempt', async () => {
    const { cluster, mediator } = await openWithFile();
    cluster.kills.push({ under: 'make', when: 'after' });
    await assert.rejects(makeFile(mediator, 'a'), { code: 'EEXIST' });
  });
});

describe('a request that a client asks again, of another mediator', () => {
  const id: RequestId = ['mount', 0, 1];

  it('writes once, and leaves what others have written since', async () => {
    const { cluster, mediator, inode } = await openWithFile();
    const other = await cluster.mediator({ maintenance: false });
    const write = { inode, extents: [{ offset: 0, data: Buffer.from('first') }], modifyTimeNs: 1n, id };
    await mediator.files.write(write);
    await writeText(mediator, inode, 'later');
    const { sizeBytes } = await other.files.write(write);
    assert.equal(sizeBytes, 5);
    for (const each of [mediator, other]) assert.equal(await text(each, inode), 'later');
    // The versions that were not needed are forgotten.
    await untilEachHolds(cluster.replicas, 1);
    assert.equal(new Set((await Promise.all(cluster.replicas.map((each) => each.versions()))).flat()).size, 1);
  });

  it('changes size and mode once', async () => {
    const { cluster, mediator, inode } = await openWithFile();
    const other = await cluster.mediator({ maintenance: false });
    const change = { inode, changes: { sizeBytes: 100, mode: 0o600 }, caller: CALLER, id };
    const { revision } = await mediator.files.setattr(change);
    assert.equal((await other.files.setattr(change)).revision, revision);
  });

  for (const name of ['write', 'fallocate', 'create'] as const) {
    it(`answers a ${name} that was carried out although it would be refused by now, and refuses one that was not for good`, async () => {
      const { cluster, mediator, inode } = await openWithFile();
      const { files } = await cluster.mediator({ maintenance: false });
      const { replicas } = cluster;
      const write = { inode, extents: [{ offset: 0, data: Buffer.from('first') }], modifyTimeNs: 1n };
      const create = { parent: ROOT_INODE, name: 'n', mode: 0o644, exclusive: true, forWriting: true, caller: CALLER };
      const range = { inode, offset: 0, length: 5, zeros: false, keepsSize: false, modifyTimeNs: 1n };
      const attempts = {
        write: async (service: FileService, attempt: Attempt) =>
          (await service.write({ ...write, ...attempt })).sizeBytes,
        fallocate: async (service: FileService, attempt: Attempt) =>
          (await service.fallocate({ ...range, ...attempt })).sizeBytes,
        create: async (service: FileService, attempt: Attempt) =>
          (await service.create({ ...create, ...attempt })).created ? 5 : 0,
      };
      const attempt = attempts[name];
      await attempt(mediator.files, { id });
      for (const replica of replicas) replica.crash();
      assert.equal(await attempt(files, { id, again: true }), 5);
      const other: RequestId = ['mount', 2, 1];
      await assert.rejects(attempt(files, { id: other, again: true }), { code: 'EIO' });
      for (const replica of replicas) replica.restart();
      await eventually(async () => (await mediator.admin.status({})).writable);
      // The first attempt, that was long on its way.
      await assert.rejects(attempt(mediator.files, { id: other }), { code: 'EIO' });
    });
  }

  it('knows the blocks of a file that was made and written since', async () => {
    const { cluster, mediator } = await openWithFile();
    const other = await cluster.mediator();
    const request = {
      parent: ROOT_INODE,
      name: 'n',
      mode: 0o644,
      exclusive: true,
      forWriting: true,
      caller: CALLER,
      id,
    };
    const { attributes } = await mediator.files.create(request);
    await writeText(mediator, attributes.inode, 'written');
    const again = await other.files.create(request);
    assert.equal(again.created, true);
    assert.equal(again.attributes.inode, attributes.inode);
    assert.equal(await text(other, attributes.inode), 'written');
  });
});
