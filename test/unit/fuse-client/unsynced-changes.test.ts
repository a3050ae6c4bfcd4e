// Changes that were answered and that crashes of both the mediator and the
// metaserver have undone: which handles are told, by which calls, how often.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { FallocateMode } from '../../../src/fuse-client/posix/fallocate.js';
import { ROOT_INODE } from '../../../src/protocol/services/files.js';
import { CALLER, type Fixture, Flags, uninterrupted } from './fixture.js';
import {
  chmod,
  crashBoth,
  fileInFolder,
  isToldAt,
  LOST,
  mounted,
  SYNC_AFTER_MS,
  sync,
  TELL_ALL_MS,
} from './lost-changes.js';

const FIFO = { kind: 'fifo', device: 0, mode: 0o600 } as const;

describe('changes that were lost with the mediator and the metaserver', () => {
  it('fail one fsync of each handle that is open on what was changed, also of all at the same moment', async () => {
    const parts = await mounted();
    const { operations } = parts;
    const { folder, file } = await fileInFolder(parts);
    const folders = [operations.directories.open(folder), operations.directories.open(folder)];
    const reader = await operations.files.open(file, Flags.READ);
    const writer = await operations.files.open(file, Flags.WRITE);
    const made = await operations.files.create(folder, 'new', 0o644, Flags.WRITE, CALLER);
    const unnamed = await operations.files.createUnnamed(folder, { mode: 0o644 }, Flags.WRITE, CALLER);
    await chmod(parts, file);
    crashBoth(parts);
    const all = () => [
      ...folders.map((handle) => operations.directories.fsync(handle)),
      ...[reader, writer, made, unnamed].map(({ handle }) => operations.files.fsync(handle)),
    ];
    await Promise.all(all().map((fsync) => assert.rejects(fsync, LOST)));
    await Promise.all(all());
    assert.equal(parts.log.named('mount.changes_lost').length, 1);
  });

  for (const changes of [{ mode: 0o600 }, { mode: 0o600, sizeBytes: 100 }]) {
    it(`are heard of by the fsync of a file as well (${Object.keys(changes)})`, async () => {
      const parts = await mounted();
      const { operations } = parts;
      const { file } = await fileInFolder(parts);
      const { handle } = await operations.files.open(file, Flags.READ);
      await operations.attributes.set(file, changes, CALLER);
      crashBoth(parts);
      await assert.rejects(operations.files.fsync(handle), LOST);
    });
  }

  it('count of whatever kind they were, at all that they touched', async () => {
    const kinds: Record<string, (parts: Fixture, folder: number, file: number) => Promise<unknown>> = {
      create: ({ operations }, folder) => operations.files.create(folder, 'a', 0o644, Flags.READ, CALLER),
      mkdir: ({ operations }, folder) => operations.names.mkdir(folder, 'a', 0o755, CALLER),
      mknod: ({ operations }, folder) =>
        operations.names.mknod(folder, 'a', { kind: 'fifo', mode: 0o644, device: 0 }, CALLER),
      symlink: ({ operations }, folder) => operations.names.symlink(folder, 'a', 'target', CALLER),
      link: ({ operations }, folder, file) => operations.names.link(file, folder, 'a'),
      unlink: ({ operations }, folder) => operations.names.unlink(folder, 'file'),
      rmdir: async (parts, folder) => {
        await parts.operations.names.mkdir(folder, 'a', 0o755, CALLER);
        await sync(parts);
        await parts.operations.names.rmdir(folder, 'a');
      },
      rename: ({ operations }, folder) =>
        operations.names.rename({ parent: folder, name: 'file' }, { parent: ROOT_INODE, name: 'a' }, 'replace'),
      attributes: (parts, folder) => chmod(parts, folder),
      'an extended attribute': ({ operations }, folder) =>
        operations.extendedAttributes.set(folder, 'user.a', Buffer.from('b'), 'set'),
    };
    for (const [kind, change] of Object.entries(kinds)) {
      const parts = await mounted();
      const { folder, file } = await fileInFolder(parts);
      await change(parts, folder, file);
      crashBoth(parts);
      assert.equal(await isToldAt(parts, folder), true, kind);
      assert.equal(await isToldAt(parts, ROOT_INODE), kind === 'rename', kind);
    }
  });

  it('fail one fsync of each handle that is opened within a minute', async () => {
    const parts = await mounted();
    const { operations, clock } = parts;
    const { folder, file } = await fileInFolder(parts);
    await operations.names.mkdir(folder, 'a', 0o755, CALLER);
    await chmod(parts, file);
    crashBoth(parts);
    await sync(parts);
    for (const delayMs of [0, 0, TELL_ALL_MS - 1]) {
      await clock.advance(delayMs);
      const opened = operations.directories.open(folder);
      await assert.rejects(operations.directories.fsync(opened), LOST);
      await operations.directories.fsync(opened);
      const { handle } = await operations.files.open(file, Flags.READ);
      await assert.rejects(operations.files.fsync(handle), LOST);
      await operations.files.fsync(handle);
    }
    await clock.advance(1);
    assert.equal(await isToldAt(parts, folder), false);
    await operations.files.fsync((await operations.files.open(file, Flags.READ)).handle);
  });

  it('fail an fsync of a handle that was open then, however late it comes', async () => {
    const parts = await mounted();
    const { operations, clock } = parts;
    const { folder } = await fileInFolder(parts);
    const [first, second] = [operations.directories.open(folder), operations.directories.open(folder)];
    await operations.names.mkdir(folder, 'a', 0o755, CALLER);
    crashBoth(parts);
    await assert.rejects(operations.directories.fsync(first), LOST);
    await clock.advance(2 * TELL_ALL_MS);
    await assert.rejects(operations.directories.fsync(second), LOST);
  });

  it('fail the first fsync of all after that minute, when nobody has been told: who asks for none is not', async () => {
    const parts = await mounted();
    const { operations, clock } = parts;
    const { folder } = await fileInFolder(parts);
    const early = operations.directories.open(folder);
    await operations.names.mkdir(folder, 'a', 0o755, CALLER);
    crashBoth(parts);
    await sync(parts);
    operations.directories.release(early);
    await clock.advance(2 * TELL_ALL_MS);
    const listing = operations.directories.open(folder);
    await operations.directories.read(listing, 0, false, 10);
    operations.directories.release(listing);
    assert.deepEqual([await isToldAt(parts, folder), await isToldAt(parts, folder)], [true, false]);
  });

  it('are forgotten for what nobody has asked for, when it is too much', async () => {
    const parts = await mounted();
    const { operations, clock } = parts;
    const changed: number[] = [];
    for (let n = 0; n < 10_001; n++) {
      changed.push((await operations.names.mknod(ROOT_INODE, `${n}`, FIFO, CALLER)).inode);
    }
    crashBoth(parts);
    await sync(parts).catch(() => {});
    await clock.advance(TELL_ALL_MS);
    // The folder itself was told of, and of the others one is too many.
    const told = await Promise.all(
      [changed[0], changed[1], changed.at(-1)].map((inode) => isToldAt(parts, inode ?? 0)),
    );
    assert.deepEqual(told, [false, true, true]);
  });

  it('are not told again by the next loss', async () => {
    const parts = await mounted();
    const { operations } = parts;
    const { folder } = await fileInFolder(parts);
    const handle = operations.directories.open(folder);
    await operations.names.mkdir(folder, 'a', 0o755, CALLER);
    crashBoth(parts);
    await assert.rejects(operations.directories.fsync(handle), LOST);
    await operations.names.mkdir(ROOT_INODE, 'b', 0o755, CALLER);
    crashBoth(parts);
    await operations.directories.fsync(handle);
    assert.equal(await isToldAt(parts, ROOT_INODE), true);
  });
});

describe('a loss of changes is not told', () => {
  const untold: Record<string, (parts: Fixture, file: number) => Promise<unknown>> = {
    'where nothing was changed': ({ operations }) => operations.names.mkdir(ROOT_INODE, 'a', 0o755, CALLER),
    'where an fsync has covered the changes': async (parts, file) => {
      await chmod(parts, file);
      await sync(parts);
    },
    'where an fsync of the mount itself has covered the changes': async (parts, file) => {
      await chmod(parts, file);
      await parts.clock.advance(SYNC_AFTER_MS);
    },
    'for bytes, which are durable when they are answered': async ({ operations }, file) => {
      const { handle } = await operations.files.open(file, Flags.WRITE);
      await operations.content.write(handle, 0, Buffer.from('bytes'), {}, uninterrupted);
      await operations.files.flush(handle);
      await operations.content.fallocate(handle, 0, 1, FallocateMode.PUNCH_HOLE | FallocateMode.KEEP_SIZE, false);
    },
    'for a size, which is durable when it is answered': ({ operations }, file) =>
      operations.attributes.set(file, { sizeBytes: 100 }, CALLER),
  };
  for (const [where, change] of Object.entries(untold)) {
    it(where, async () => {
      const parts = await mounted();
      const { operations } = parts;
      const { file } = await fileInFolder(parts);
      const { handle } = await operations.files.open(file, Flags.BOTH);
      await change(parts, file);
      crashBoth(parts);
      await operations.files.fsync(handle);
      await operations.files.fsync((await operations.files.open(file, Flags.READ)).handle);
    });
  }

  it('for changes that came after it', async () => {
    const parts = await mounted();
    const { folder } = await fileInFolder(parts);
    await parts.operations.names.mkdir(ROOT_INODE, 'a', 0o755, CALLER);
    crashBoth(parts);
    assert.equal(await isToldAt(parts, ROOT_INODE), true);
    await parts.operations.names.mkdir(folder, 'b', 0o755, CALLER);
    assert.equal(await isToldAt(parts, folder), false);
  });

  it('where the mediator has carried them out again, or only it has crashed, also one after the other', async () => {
    const parts = await mounted();
    const { operations, files } = parts;
    const handle = operations.directories.open(ROOT_INODE);
    const mediators = ['mediator/0', 'another/0', 'another/0', 'third/0'];
    const histories = ['another', 'another', 'third', 'third'];
    for (const [step, mediator] of mediators.entries()) {
      await operations.names.mkdir(ROOT_INODE, `a${step}`, 0o755, CALLER);
      files.verifier = { mediator, history: histories[step] ?? '' };
      await operations.directories.fsync(handle);
    }
  });

  it('and not logged, when there were no changes', async () => {
    const parts = await mounted();
    crashBoth(parts);
    await sync(parts);
    assert.equal(parts.log.named('mount.changes_lost').length, 0);
  });
});

describe('changes that are answered while an fsync is under way', () => {
  /** A folder, whose change was answered before the fsync of a handle on the root was answered so. */
  async function changedDuringSync(parts: Fixture, crash: (parts: Fixture) => void): Promise<number> {
    const { operations, files } = parts;
    const { folder } = await fileInFolder(parts);
    const { fsync } = files;
    let answer = () => {};
    files.fsync = () =>
      new Promise((resolve) => {
        answer = () => resolve({ verifier: files.verifier });
      });
    const syncing = sync(parts);
    await operations.names.mkdir(folder, 'a', 0o755, CALLER);
    crash(parts);
    answer();
    await syncing;
    files.fsync = fsync;
    return folder;
  }

  it('are not covered by it', async () => {
    const parts = await mounted();
    const folder = await changedDuringSync(parts, () => {});
    crashBoth(parts);
    assert.equal(await isToldAt(parts, folder), true);
  });

  it('may be among those that it says are lost, and may be lost by the next crashes', async () => {
    const parts = await mounted();
    const folder = await changedDuringSync(parts, crashBoth);
    const handle = parts.operations.directories.open(folder);
    crashBoth(parts);
    await sync(parts);
    await assert.rejects(parts.operations.directories.fsync(handle), LOST);
    await parts.clock.advance(TELL_ALL_MS);
    assert.equal(await isToldAt(parts, folder), true, 'nobody was told of the second loss');
  });
});
