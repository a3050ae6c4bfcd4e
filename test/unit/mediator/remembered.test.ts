// What the mediator remembers of a file while answers come that are not those
// of its own changes alone.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { type Attributes, ROOT_INODE } from '../../../src/protocol/services/files.js';
import type { RequestId } from '../../../src/protocol/values/request-ids.js';
import { eventually, makeFile } from '../../support/fake-cluster.js';
import { BLOCK, CALLER, calls, openCluster, text, write } from './fixture.js';

/** A file whose commits wait for the metaserver's disk until `release`. */
async function openHeld() {
  const { cluster, mediator } = await openCluster();
  const { files } = mediator;
  const inode = await makeFile(mediator, 'a');
  await write(mediator, inode, 0, 'old');
  const id: RequestId = ['feedfeedfeedfeed', 0, 1];
  const mode = { id, inode, changes: { mode: 0o600 }, caller: CALLER };
  await files.setattr(mode);
  const before = calls(cluster, 'commit');
  let release = (): void => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  cluster.metaserverDisk.beforeWrite = () => held;
  return {
    mediator,
    files,
    inode,
    release,
    committing: () => eventually(() => calls(cluster, 'commit') > before),
    read: () => files.setattr({ inode, changes: { accessed: true }, caller: CALLER }),
    repeat: () => files.setattr({ ...mode, again: true }),
  };
}

describe('what the mediator remembers of a file', () => {
  for (const between of ['read', 'repeat'] as const) {
    const what = between === 'read' ? 'the file is read' : 'a change is asked for again';

    it(`has the blocks of a write, when ${what} before its commit is answered`, async () => {
      const held = await openHeld();
      const { mediator, inode } = held;
      const writing = write(mediator, inode, BLOCK, 'new');
      await held.committing();
      await held[between]();
      held.release();
      await writing;
      assert.equal(await text(mediator, inode, BLOCK, 10), 'new');
    });

    it(`has no blocks that were cut off, when ${what} before that is answered`, async () => {
      const held = await openHeld();
      const { mediator, files, inode } = held;
      const cutting: Promise<Attributes> = files.setattr({ inode, changes: { sizeBytes: 0 }, caller: CALLER });
      await held.committing();
      await held[between]();
      held.release();
      await cutting;
      await write(mediator, inode, 3, 'x');
      assert.equal(await text(mediator, inode), '\0\0\0x');
    });
  }

  it('has the last access time, when an older answer with the same revision comes later', async () => {
    const held = await openHeld();
    const { mediator, files, inode } = held;
    const writing = write(mediator, inode, 0, 'new');
    await held.committing();
    await files.getattr({ inode });
    await files.open({ inode, forWriting: false });
    const { accessTimeNs } = await held.read();
    held.release();
    await writing;
    const seen = await files.lookup({ parent: ROOT_INODE, name: 'a' });
    assert.equal(seen.accessTimeNs, accessTimeNs);
  });

  it('is nothing after a change whose outcome is not known', async () => {
    const { cluster, mediator } = await openCluster();
    const { files } = mediator;
    const inode = await makeFile(mediator, 'a');
    cluster.kills.push({ under: 'setattr', when: 'late' });
    await assert.rejects(files.setattr({ inode, changes: { mode: 0o600 }, caller: CALLER }), { code: 'DEADLINE' });
    // Opening does not ask for the name.
    assert.equal((await files.open({ inode, forWriting: false })).mode, 0o600);
    assert.equal((await files.lookup({ parent: ROOT_INODE, name: 'a' })).mode, 0o600);
  });

  for (const query of ['smallFiles', 'blocks'] as const) {
    it(`is not older than a change that was answered while the query ${query} was under way`, async () => {
      const { cluster, mediator } = await openCluster();
      const files = mediator.ownFiles;
      const inodes: number[] = [];
      for (let at = 0; at < 8; at++) {
        inodes.push(await makeFile(mediator, `f${at}`));
        await write(mediator, inodes[at] ?? 0, 0, 'text');
      }
      const inode = inodes[5] ?? 0;
      await cluster.crashMetaserver();
      // The mount is answered early from here on.
      await files.setattr({ inode, changes: { mode: 0o640 }, caller: CALLER });
      await cluster.crashMetaserver();
      await files.setattr({ inode, changes: { mode: 0o644 }, caller: CALLER });
      const name = { parent: ROOT_INODE, name: 'f5' };
      await files.lookup(name);
      let release = (): void => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      cluster.beforeAnswer = (asked) => (asked === query ? held : undefined);
      const before = calls(cluster, query);
      let opening: Promise<unknown> | undefined;
      if (query === 'blocks') opening = files.open({ inode, forWriting: false });
      else for (const each of inodes.slice(0, 3)) await text(mediator, each);
      await eventually(() => calls(cluster, query) > before);
      await files.setattr({ inode, changes: { mode: 0o600 }, caller: CALLER });
      release();
      await opening;
      await eventually(() => query === 'blocks' || (mediator.kept().filesReadAhead ?? 0) > 0);
      assert.equal((await files.lookup(name)).mode, 0o600);
      assert.equal((await files.open({ inode, forWriting: false })).mode, 0o600);
    });
  }
});
