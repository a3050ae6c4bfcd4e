// Looking for what is not there, in directories that were made through this mediator.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { KnownDirectories } from '../../../src/mediator/known-directories.js';
import type { Mediator } from '../../../src/mediator/mediator.js';
import { ROOT_INODE } from '../../../src/protocol/files.js';
import type { Commands } from '../../../src/protocol/metadata.js';
import type { RequestId } from '../../../src/protocol/request-ids.js';
import { makeFile } from '../../support/fake-cluster.js';
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
    assert.deepEqual(await asked('b'), { found: false, asked: true });
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

describe('known directories', () => {
  const made = (inode: number) =>
    ({ created: true, attributes: { inode, revision: 1 } }) as unknown as Commands['make']['result'];
  const making = (parent: number, name: string, kind: string) =>
    ({ parent, name, kind }) as unknown as Commands['make']['request'];
  const know = (known: KnownDirectories, inode: number, run = async () => made(inode)) =>
    known.note('make', making(ROOT_INODE, `d${inode}`, 'directory'), false, run);

  it('takes a name for possible from before it is asked for, and keeps it when nobody knows what came of that', async () => {
    const known = new KnownDirectories(() => 0);
    await know(known, 7);
    assert.ok(known.isAbsent(7, 'a'));
    const lost = known.note('make', making(7, 'a', 'file'), false, () => Promise.reject(new Error('no answer')));
    assert.ok(!known.isAbsent(7, 'a'));
    await assert.rejects(lost);
    assert.ok(!known.isAbsent(7, 'a'));
  });

  it('learns of a name that was asked for before the directory was known', async () => {
    const known = new KnownDirectories(() => 0);
    let answer: (result: Commands['make']['result']) => void = () => {};
    const reply = new Promise<Commands['make']['result']>((resolve) => {
      answer = resolve;
    });
    const inTheMiddle = known.note('make', making(7, 'a', 'file'), false, () => reply);
    await know(known, 7);
    answer(made(8));
    await inTheMiddle;
    assert.ok(!known.isAbsent(7, 'a'));
  });

  it('does not know a directory whose making was asked for again, nor any after all is forgotten', async () => {
    let losses = 0;
    const known = new KnownDirectories(() => losses);
    await know(known, 7, async () => {
      losses++;
      return made(7);
    });
    assert.ok(!known.isAbsent(7, 'a'));
    await known.note('make', making(ROOT_INODE, 'd9', 'directory'), true, async () => made(9));
    assert.ok(!known.isAbsent(9, 'a'));
    await know(known, 8);
    assert.ok(known.isAbsent(8, 'a'));
    known.clear();
    assert.ok(!known.isAbsent(8, 'a'));
  });

  it('forgets the directory that was used least recently when there are too many names', async () => {
    const known = new KnownDirectories(() => 0, 10);
    for (const inode of [7, 8, 9]) await know(known, inode);
    for (let n = 0; n < 7; n++) await known.note('make', making(8, `n${n}`, 'file'), false, async () => made(100 + n));
    assert.ok(known.isAbsent(7, 'x'));
    await known.note('make', making(8, 'one too many', 'file'), false, async () => made(200));
    assert.ok(!known.isAbsent(9, 'x'));
    assert.ok(known.isAbsent(7, 'x'));
    assert.ok(known.isAbsent(8, 'x'));
  });

  it('never calls the directory itself or its parent absent', async () => {
    const known = new KnownDirectories(() => 0);
    await know(known, 7);
    assert.ok(!known.isAbsent(7, '.') && !known.isAbsent(7, '..'));
  });
});
