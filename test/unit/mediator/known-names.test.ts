// Lookups that the mediator answers itself: of names that it was told of lately, and in directories that were made
// through it.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Mediator } from '../../../src/mediator/mediator.js';
import { KnownNames } from '../../../src/mediator/metadata/known-names.js';
import { ROOT_INODE } from '../../../src/protocol/services/files.js';
import type { Commands } from '../../../src/protocol/services/metadata.js';
import type { RequestId } from '../../../src/protocol/values/request-ids.js';
import { type FakeCluster, makeFile } from '../../support/fake-cluster.js';
import { ManualClock } from '../../support/manual-clock.js';
import { CALLER, calls, openCluster } from './fixture.js';

async function makeDirectory({ files }: Mediator, parent: number, name: string): Promise<number> {
  const { attributes } = await files.mkdir({ parent, name, mode: 0o755, caller: CALLER });
  return attributes.inode;
}

async function isThere({ files }: Mediator, parent: number, name: string): Promise<boolean> {
  return files.lookup({ parent, name }).then(
    () => true,
    (error: { code?: string }) => {
      assert.equal(error.code, 'ENOENT');
      return false;
    },
  );
}

describe('a lookup in a directory that was made here', () => {
  it('asks for what may be there, and not for what never was, whatever gives names', async () => {
    const { cluster, mediator } = await openCluster();
    const { files } = mediator;
    const parent = await makeDirectory(mediator, ROOT_INODE, 'made');
    const asked = async (name: string): Promise<{ found: boolean; asked: boolean }> => {
      const before = calls(cluster, 'lookup');
      return { found: await isThere(mediator, parent, name), asked: calls(cluster, 'lookup') > before };
    };
    const absent = { found: false, asked: false };
    assert.deepEqual(await asked('a'), absent);
    await files.mknod({ parent, name: 'a', kind: 'fifo', mode: 0o644, device: 0, caller: CALLER });
    await files.symlink({ parent, name: 's', target: 'a', caller: CALLER });
    await makeDirectory(mediator, parent, 'd');
    const inode = await makeFile(mediator, 'elsewhere');
    await files.link({ inode, parent, name: 'l' });
    await files.rename({ parent, name: 'a', newParent: parent, newName: 'b', mode: 'replace', held: [] });
    for (const name of ['b', 's', 'd', 'l']) assert.deepEqual(await asked(name), { found: true, asked: true }, name);
    assert.deepEqual(await asked('a'), { found: false, asked: true });
    assert.deepEqual(await asked('never'), absent);
    await files.unlink({ parent, name: 'b', held: [] });
    assert.deepEqual(await asked('b'), absent);
    await files.rmdir({ parent, name: 'd' });
    assert.deepEqual(await asked('d'), absent);
    await files.rename({
      parent: ROOT_INODE,
      name: 'elsewhere',
      newParent: parent,
      newName: 's',
      mode: 'exchange',
      held: [],
    });
    assert.deepEqual(await asked('s'), { found: true, asked: true });
  });

  it('asks in every other directory', async () => {
    const { cluster, mediator } = await openCluster();
    assert.equal(await isThere(mediator, ROOT_INODE, 'a'), false);
    assert.equal(calls(cluster, 'lookup'), 1);
  });

  const id: RequestId = ['aaaaaaaaaaaaaaaa', 0, 1];
  const first = { id, parent: ROOT_INODE, name: 'd', mode: 0o755, caller: CALLER };
  for (const between of ['another mediator', 'a loss of the metaserver'] as const) {
    it(`asks when the directory was made before, and the making asked for again: ${between}`, async () => {
      const { cluster, mediator } = await openCluster();
      const { attributes } = await mediator.files.mkdir(first);
      if (between === 'a loss of the metaserver') cluster.reconnectMetaserver();
      await makeDirectory(mediator, attributes.inode, 'a');
      const next = between === 'another mediator' ? await cluster.mediator() : mediator;
      await next.files.mkdir({ ...first, again: true });
      assert.ok(await isThere(next, attributes.inode, 'a'));
    });
  }

  it('leaves names that can not be to the metaserver', async () => {
    const { mediator } = await openCluster();
    const parent = await makeDirectory(mediator, ROOT_INODE, 'made');
    await assert.rejects(mediator.files.lookup({ parent, name: 'n'.repeat(256) }), { code: 'ENAMETOOLONG' });
    await assert.rejects(mediator.files.lookup({ parent, name: '' }), { code: 'EINVAL' });
  });

  it('asks when another mediator may make names too', async () => {
    const { cluster } = await openCluster();
    const one = await cluster.mediator({ maintenance: false });
    const parent = await makeDirectory(one, ROOT_INODE, 'made');
    const before = calls(cluster, 'lookup');
    assert.equal(await isThere(one, parent, 'a'), false);
    assert.equal(calls(cluster, 'lookup'), before + 1);
  });
});

describe('a lookup of a file that the mediator knows', () => {
  const asks = async (cluster: FakeCluster, mediator: Mediator, name: string) => {
    const before = calls(cluster, 'lookup');
    const attributes = await mediator.files.lookup({ parent: ROOT_INODE, name });
    return { attributes, asked: calls(cluster, 'lookup') > before };
  };

  it('is answered here, with the attributes of the last change, under each of its names', async () => {
    const { cluster, mediator } = await openCluster();
    const { files } = mediator;
    const inode = await makeFile(mediator, 'a');
    const write = { inode, extents: [{ offset: 0, data: new Uint8Array(5000) }], modifyTimeNs: 7n };
    const written = await files.write(write);
    assert.deepEqual(await asks(cluster, mediator, 'a'), { attributes: written, asked: false });
    const changed = await files.setattr({ inode, changes: { mode: 0o600 }, caller: CALLER });
    assert.deepEqual(await asks(cluster, mediator, 'a'), { attributes: changed, asked: false });
    const read = await files.setattr({ inode, changes: { accessed: true, accessTimeNs: 9n }, caller: CALLER });
    assert.equal(read.accessTimeNs, 9n);
    assert.deepEqual(await asks(cluster, mediator, 'a'), { attributes: read, asked: false });
    const places = { parent: ROOT_INODE, newParent: ROOT_INODE, held: [] };
    await files.rename({ ...places, name: 'a', newName: 'b', mode: 'replace' });
    const renamed = await files.getattr({ inode });
    assert.deepEqual(await asks(cluster, mediator, 'b'), { attributes: renamed, asked: false });
    assert.equal(await isThere(mediator, ROOT_INODE, 'a'), false);
    await files.link({ inode, parent: ROOT_INODE, name: 'c' });
    await files.open({ inode, forWriting: false });
    assert.equal((await asks(cluster, mediator, 'c')).attributes.links, 2);
    assert.equal((await asks(cluster, mediator, 'c')).asked, false);
    await files.unlink({ parent: ROOT_INODE, name: 'b', held: [] });
    assert.equal((await asks(cluster, mediator, 'c')).attributes.links, 1);
    assert.equal(await isThere(mediator, ROOT_INODE, 'b'), false);
  });

  it('is answered from a listing, and from an earlier lookup', async () => {
    const { cluster, mediator } = await openCluster();
    const inode = await makeFile(mediator, 'a');
    for (const learn of ['lookup', 'readdir'] as const) {
      const next = await cluster.mediator();
      await next.files.open({ inode, forWriting: false });
      if (learn === 'lookup') assert.ok((await asks(cluster, next, 'a')).asked);
      else await next.files.readdir({ inode: ROOT_INODE, cookie: 0, limit: 10, attributes: true });
      assert.equal((await asks(cluster, next, 'a')).asked, false, learn);
    }
  });

  it('is asked for again after the metaserver was lost, and where another mediator may change it', async () => {
    const { cluster, mediator } = await openCluster();
    await makeFile(mediator, 'a');
    cluster.reconnectMetaserver();
    assert.ok((await asks(cluster, mediator, 'a')).asked);
    const one = await cluster.mediator({ maintenance: false });
    await makeFile(one, 'b');
    assert.ok((await asks(cluster, one, 'b')).asked);
  });
});

// Whoever asks: the first attempt may be overtaken by the second, and be the one that is the repetition.
describe('a change that arrives twice', () => {
  const id: RequestId = ['feedfeedfeedfeed', 0, 1];

  /** A directory made here, with a file `a`; and what makes another one of that name. */
  async function opened() {
    const { mediator } = await openCluster();
    const { files } = mediator;
    const parent = await makeDirectory(mediator, ROOT_INODE, 'made');
    const make = async (name: string) => {
      const request = { parent, name, mode: 0o644, exclusive: true, forWriting: true, caller: CALLER };
      return (await files.create(request)).attributes.inode;
    };
    const find = async (name: string) => (await files.lookup({ parent, name })).inode;
    return { files, parent, make, find, first: await make('a') };
  }

  it('unlink: what others have made since is found', async () => {
    const { files, parent, make, find } = await opened();
    await files.unlink({ id, parent, name: 'a', held: [] });
    const second = await make('a');
    await files.unlink({ id, parent, name: 'a', held: [] });
    assert.equal(await find('a'), second);
  });

  it('rmdir: what others have made since is found', async () => {
    const { files, parent, make, find } = await opened();
    await files.mkdir({ parent, name: 'd', mode: 0o755, caller: CALLER });
    await files.rmdir({ id, parent, name: 'd' });
    const second = await make('d');
    await files.rmdir({ id, parent, name: 'd' });
    assert.equal(await find('d'), second);
  });

  it('rename: each name stands for what it did', async () => {
    const { files, parent, make, find, first } = await opened();
    const rename = { id, parent, name: 'a', newParent: parent, newName: 'b', mode: 'replace' as const, held: [] };
    await files.rename(rename);
    const second = await make('a');
    await files.rename(rename);
    assert.equal(await find('a'), second);
    assert.equal(await find('b'), first);
  });

  it('link: the name stands for what it does by now', async () => {
    const { files, parent, make, find, first } = await opened();
    const link = { id, inode: first, parent, name: 'b' };
    await files.link(link);
    await files.unlink({ parent, name: 'b', held: [] });
    const second = await make('b');
    await files.link(link);
    await files.open({ inode: first, forWriting: false });
    assert.equal(await find('b'), second);
  });
});

describe('known names', () => {
  const made = (inode: number) =>
    ({ created: true, attributes: { inode, revision: 1 } }) as unknown as Commands['make']['result'];
  const making = (parent: number, name: string, kind: string) =>
    ({ parent, name, kind }) as unknown as Commands['make']['request'];
  const open = (maximum = 100) => new KnownNames(new ManualClock(), maximum);
  const know = (known: KnownNames, inode: number, run = async () => made(inode)) =>
    known.note('make', making(ROOT_INODE, `d${inode}`, 'directory'), run);
  const isAbsent = (known: KnownNames, parent: number, name: string) => known.find(parent, name) === null;

  it('takes a name for possible from before it is asked for, and keeps it when nobody knows what came of that', async () => {
    const known = open();
    await know(known, 7);
    assert.ok(isAbsent(known, 7, 'a'));
    const lost = known.note('make', making(7, 'a', 'file'), () => Promise.reject(new Error('no answer')));
    assert.equal(known.find(7, 'a'), undefined);
    await assert.rejects(lost);
    assert.equal(known.find(7, 'a'), undefined);
  });

  it('learns of a name that was asked for before the directory was known', async () => {
    const known = open();
    let answer: (result: Commands['make']['result']) => void = () => {};
    const reply = new Promise<Commands['make']['result']>((resolve) => {
      answer = resolve;
    });
    const inTheMiddle = known.note('make', making(7, 'a', 'file'), () => reply);
    await know(known, 7);
    assert.ok(!isAbsent(known, 7, 'a'));
    answer(made(8));
    await inTheMiddle;
    assert.equal(known.find(7, 'a'), 8);
  });

  it('does not know a directory whose making was asked for again, nor any after all is forgotten', async () => {
    const known = open();
    await known.note('make', making(ROOT_INODE, 'd9', 'directory'), async () => ({
      ...made(9),
      isRepetition: true,
    }));
    assert.ok(!isAbsent(known, 9, 'a'));
    assert.equal(known.find(ROOT_INODE, 'd9'), undefined);
    await know(known, 8);
    assert.ok(isAbsent(known, 8, 'a'));
    assert.equal(known.find(ROOT_INODE, 'd8'), 8);
    known.clear();
    assert.ok(!isAbsent(known, 8, 'a'));
    assert.equal(known.find(ROOT_INODE, 'd8'), undefined);
  });

  it('forgets the directory that was used least recently when there are too many names', async () => {
    const known = open(13);
    for (const inode of [7, 8, 9]) await know(known, inode);
    for (let n = 0; n < 6; n++) await known.note('make', making(8, `n${n}`, 'file'), async () => made(100 + n));
    assert.ok(isAbsent(known, 7, 'x'));
    await known.note('make', making(8, 'one too many', 'file'), async () => made(200));
    // The root, with three names, was used before these.
    assert.equal(known.find(ROOT_INODE, 'd7'), undefined);
    assert.ok(isAbsent(known, 7, 'x') && isAbsent(known, 8, 'x') && isAbsent(known, 9, 'x'));
  });

  it('keeps a directory that is used between many new ones', async () => {
    const known = open(30);
    await know(known, 7);
    for (let other = 1000; other < 1100; other++) {
      assert.ok(isAbsent(known, 7, 'x'), `before directory ${other}`);
      known.learner(other)('name', 5);
    }
  });

  it('never calls the directory itself or its parent absent, nor says what they are', async () => {
    const known = open();
    await know(known, 7);
    known.learner(7)('..', 1);
    assert.equal(known.find(7, '.'), undefined);
    assert.equal(known.find(7, '..'), undefined);
  });

  it('learns nothing from a question that was asked while a change was under way', async () => {
    const known = open();
    known.learner(7)('a', 8);
    let answer: (result: Commands['unlink']['result']) => void = () => {};
    const reply = new Promise<Commands['unlink']['result']>((resolve) => {
      answer = resolve;
    });
    const unlinking = known.note('unlink', { parent: 7, name: 'a', held: [] }, () => reply);
    const learn = known.learner(7);
    answer({ inode: 8, links: 0, changed: [] });
    await unlinking;
    learn('a', 8);
    assert.equal(known.find(7, 'a'), undefined);
  });

  it('believes what it was told for ten seconds', async () => {
    const clock = new ManualClock();
    const known = new KnownNames(clock);
    known.learner(7)('a', 8);
    await clock.advance(10_000);
    assert.equal(known.find(7, 'a'), 8);
    await clock.advance(1);
    assert.equal(known.find(7, 'a'), undefined);
  });
});
