// Locks that go with their handles, and handles that fail when locks are lost.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ServiceError } from '../../../src/protocol/errors.js';
import type { FileService } from '../../../src/protocol/services/files.js';
import type { CallOptions } from '../../../src/protocol/services/service.js';
import type { FileLock, SessionService } from '../../../src/protocol/services/sessions.js';
import { settle } from '../../support/manual-clock.js';
import { contentOf, type Fixture, Flags, fixture, stored, uninterrupted } from './fixture.js';

const LOST = { code: 'EIO', message: /lock was lost/ };

/** A mediator that grants everything, and forgets the session when it is told to. */
class Sessions {
  readonly unlocked: string[] = [];
  #lost: FileLock[] = [];
  #held: FileLock[] = [];
  #fail: (error: Error) => void = () => {};

  readonly service = {
    begin: async ({ locks }: { locks: FileLock[] }) => {
      this.#held = locks;
      return { known: false, last: 0, lost: this.#lost, mediator: 'm' };
    },
    changes: (_request: object, { signal }: { signal: AbortSignal }) =>
      new Promise((_resolve, reject) => {
        this.#fail = reject;
        signal.addEventListener('abort', () => reject(new ServiceError('CANCELLED', 'ended')));
      }),
    setLock: async (lock: FileLock) => {
      if (lock.type === null) this.unlocked.push(`${lock.kind} ${lock.owner}`);
      return { granted: true, after: 0 };
    },
    end: async () => ({}),
  } as unknown as SessionService;

  /** The session is over; of its locks, these are lost. */
  async ends({ clock }: Fixture, lost: FileLock[]): Promise<FileLock[]> {
    this.#lost = lost;
    this.#fail(new ServiceError('NO_SESSION', 'silent'));
    await settle();
    await clock.advance(500);
    return this.#held;
  }
}

async function mounted() {
  const sessions = new Sessions();
  const parts = fixture({}, { sessions: sessions.service });
  await parts.operations.start();
  const inode = await stored(parts, 'a', 'before');
  const open = async (flags: number = Flags.BOTH) => (await parts.operations.files.open(inode, flags)).handle;
  const lock = (handle: number, owner: bigint, more: Partial<FileLock> = {}) =>
    parts.operations.locks.set(handle, { ...lockOf(owner), ...more }, false, uninterrupted());
  const write = (handle: number, text: string, ofPages = false) =>
    parts.operations.content.write(handle, 0, Buffer.from(text), { ofPages }, uninterrupted);
  const read = (handle: number) => parts.operations.content.read(handle, 0, 6, uninterrupted);
  return {
    ...parts,
    parts,
    sessions,
    inode,
    open,
    lock,
    write,
    read,
    of: (owner: bigint) => ({ ...lockOf(owner), inode }),
  };
}

function lockOf(owner: bigint) {
  return { kind: 'posix', owner, start: 0n, end: 9n, type: 'write', pid: 1 } as const;
}

describe('locks of open files', () => {
  it('go with the last close of the handle that they were set through, unless a process took them along', async () => {
    const { sessions, operations, open, lock } = await mounted();
    const [first, second] = [await open(), await open()];
    await lock(first, 1n);
    await lock(first, 2n, { start: 20n, end: 29n });
    await lock(first, 3n, { kind: 'flock' });
    await lock(second, 4n, { start: 40n, end: 49n });
    // Of process 1, through another descriptor.
    await operations.files.flush(second, 1n);
    await operations.files.flush(second, 9n);
    assert.deepEqual(sessions.unlocked, ['posix 1']);
    await operations.files.release(first);
    assert.deepEqual(sessions.unlocked, ['posix 1', 'posix 2', 'flock 3']);
    await operations.files.release(second);
    assert.deepEqual(sessions.unlocked, ['posix 1', 'posix 2', 'flock 3', 'posix 4']);
  });

  it('make all handles fail through which a lost one was set, until they are closed, and no others', async () => {
    const { parts, sessions, operations, log, inode, open, lock, write, read, of } = await mounted();
    const [holder, reader, other, former] = [await open(), await open(Flags.READ), await open(), await open()];
    await lock(holder, 1n);
    await lock(reader, 1n, { start: 20n, end: 29n, type: 'read' });
    await lock(other, 2n, { start: 40n, end: 49n });
    await lock(former, 3n, { start: 60n, end: 69n });
    await operations.locks.set(former, { ...lockOf(3n), start: 0n, end: 99n, type: null }, false, uninterrupted());
    await write(other, 'buffer');
    assert.equal((await sessions.ends(parts, [of(1n), { ...of(3n) }])).length, 3);
    assert.deepEqual(log.named('mount.locks_lost'), [{ inode, failingHandles: 2 }]);
    assert.equal(log.events.find(({ event }) => event === 'mount.locks_lost')?.level, 'warn');
    for (let time = 0; time < 2; time++) {
      await assert.rejects(read(holder), LOST);
      await assert.rejects(read(reader), LOST);
      await assert.rejects(write(holder, 'late'), LOST);
      await assert.rejects(operations.files.fsync(holder), LOST);
      await assert.rejects(operations.content.fallocate(holder, 0, 4, 0, false), LOST);
      await assert.rejects(
        operations.attributes.set(inode, { sizeBytes: 1 }, { uid: 0, gid: 0 }, { handle: holder }),
        LOST,
      );
      await assert.rejects(lock(holder, 1n), LOST);
    }
    await assert.rejects(write(other, 'mapped', true), LOST, 'pages that may have been stored under the lock');
    // What was pending of the file is dropped, and all who may have written it are told.
    assert.equal(await contentOf(parts, inode), 'before');
    await assert.rejects(operations.files.fsync(other), LOST);
    await operations.files.fsync(other);
    for (const handle of [holder, reader]) {
      await operations.files.flush(handle).catch(() => {});
      await operations.files.release(handle);
    }
    await write(other, 'pages!', true);
    const again = await open();
    await lock(again, 1n);
    await write(again, 'works!');
    await operations.files.fsync(again);
    assert.equal(await contentOf(parts, inode), 'works!');
    await read(former);
  });

  for (const [what, change] of [
    ['a write', ({ write }, handle) => write(handle, 'late')],
    ['a hole', ({ operations }, handle) => operations.content.fallocate(handle, 0, 4, 3, false)],
    [
      'a new size',
      async ({ operations, inode }, handle) => {
        await operations.attributes.set(inode, { sizeBytes: 100 }, { uid: 0, gid: 0 }, { handle });
      },
    ],
  ] satisfies [string, (mount: Awaited<ReturnType<typeof mounted>>, handle: number) => Promise<void>][]) {
    it(`keep ${what} that is under way from being asked for again when they are lost`, async () => {
      const mount = await mounted();
      const { parts, files, sessions, operations, inode, open, lock, of } = mount;
      const handle = await open();
      await lock(handle, 1n);
      // As if it waited for the mediator to know this mount again.
      const waiting = (_request: object, options?: CallOptions) =>
        new Promise<never>((_resolve, reject) => {
          assert.ok(options?.signal !== undefined);
          options.signal.addEventListener('abort', () => reject(new ServiceError('CANCELLED', 'given up')));
        });
      const { write, fallocate, setattr } = files;
      Object.assign(files, { write: waiting, fallocate: waiting, setattr: waiting } satisfies Partial<FileService>);
      const asked = (async () => {
        await change(mount, handle);
        await operations.files.fsync(handle);
      })();
      const failed = assert.rejects(asked, LOST);
      await settle();
      await sessions.ends(parts, [of(1n)]);
      await failed;
      Object.assign(files, { write, fallocate, setattr });
      await assert.rejects(operations.files.fsync(handle), LOST);
      assert.equal(await contentOf(parts, inode), 'before');
    });
  }

  it('are nothing to their handles when a mediator that was started anew gives them back', async () => {
    const { parts, sessions, operations, inode, open, lock, write } = await mounted();
    const handle = await open();
    await lock(handle, 1n);
    await write(handle, 'stored');
    await sessions.ends(parts, []);
    await operations.files.fsync(handle);
    assert.equal(await contentOf(parts, inode), 'stored');
  });
});
