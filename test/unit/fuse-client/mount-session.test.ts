import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'mocha';
import { MountSession } from '../../../src/fuse-client/session/mount-session.js';
import { ServiceError } from '../../../src/protocol/errors.js';
import type { FileLock, LockRange, OutdatedItem, SessionService } from '../../../src/protocol/services/sessions.js';
import { silentLog } from '../../../src/runtime/log.js';
import type { Runtime } from '../../../src/runtime/runtime.js';
import { ManualClock } from '../../support/manual-clock.js';

type Changes = Awaited<ReturnType<SessionService['changes']>>;

const LOCK = { inode: 3, kind: 'flock', owner: 1n, start: 0n, end: 9n, type: 'write', pid: 1 } as const;

/** A mediator that answers when it is told. */
class Mediator {
  /** What it was told that an owner had before, by inode. */
  readonly restored: [number, FileLock[]][] = [];
  readonly closed: number[][] = [];
  readonly begun: number[][] = [];
  /** Locks that a session began with. */
  readonly begunWith: FileLock[][] = [];
  readonly locked: LockRange[] = [];
  /** The mediators that it said it had begun with before. */
  readonly begunAt: (string | null)[] = [];
  /** What the next that is begun has lost. */
  lost: FileLock[] = [];
  /** The number that comes with the next lock. */
  after = 0;
  #answer: ((changes: Changes | Error) => void) | undefined;

  readonly service = {
    begin: async ({ open, locks, mediator }: Parameters<SessionService['begin']>[0]) => {
      this.begun.push(open);
      this.begunWith.push(locks);
      this.begunAt.push(mediator);
      return { known: this.begun.length === 1, last: 1, lost: this.lost, mediator: `m${this.begun.length}` };
    },
    changes: ({ closed }: { closed: number[] }, options: { signal: AbortSignal }) => {
      this.closed.push(closed);
      return new Promise<Changes>((resolve, reject) => {
        this.#answer = (changes) => (changes instanceof Error ? reject(changes) : resolve(changes));
        options.signal.addEventListener('abort', () => reject(new ServiceError('CANCELLED', 'given up')));
      });
    },
    setLock: async (request: LockRange) => {
      this.locked.push(request);
      return { granted: true, after: this.after };
    },
    restoreLocks: async ({ inode, locks }: LockRange & { locks: FileLock[] }) => {
      this.restored.push([inode, locks]);
      return { lost: [] };
    },
    end: async () => ({}),
  } as unknown as SessionService;

  tell(changes: Changes | Error): void {
    this.#answer?.(changes);
  }
}

async function fixture() {
  const mediator = new Mediator();
  const heard: string[] = [];
  let forget = () => {};
  const forgotten = () =>
    new Promise<void>((resolve) => {
      forget = resolve;
    });
  const files = { open: [5], closed: [7] };
  const listener = {
    outdated: (items: readonly OutdatedItem[]) => {
      heard.push(JSON.stringify(items));
      return forgotten();
    },
    missedChanges: () => {
      heard.push('anything');
      return forgotten();
    },
    lostLocks: (locks: readonly FileLock[]) => void heard.push(`lost ${locks.map(({ inode }) => inode).join()}`),
    open: () => files.open,
    takeClosed: () => files.closed.splice(0),
  };
  const clock = new ManualClock();
  const random = { fraction: () => 0.5, bytes: (count: number) => new Uint8Array(count) };
  const runtime = { clock, random, log: silentLog } as unknown as Runtime;
  const session = new MountSession(mediator.service, listener, runtime, undefined);
  await session.start();
  const turn = () => new Promise<void>((resolve) => void setImmediate(resolve));
  return { mediator, heard, session, files, clock, turn, forget: () => forget() };
}

describe("the mount's session", () => {
  it('has a lock only when what others changed before is forgotten here and by the kernel', async () => {
    const { mediator, heard, session, turn, forget } = await fixture();
    mediator.after = 2;
    let hasLock = false;
    const locking = session.locks.set(LOCK, true, new AbortController().signal).then(() => {
      hasLock = true;
    });
    await turn();
    assert.equal(hasLock, false, 'the change has not been heard of');
    mediator.tell({ items: [{ inode: 3, content: true }], last: 2, missed: false });
    await turn();
    assert.deepEqual(heard, ['[{"inode":3,"content":true}]']);
    assert.equal(hasLock, false, 'the kernel has not forgotten it');
    forget();
    await locking;
    await session.end();
  });

  it('gives a lock back when the one who asked for it gives up meanwhile', async () => {
    const { mediator, session } = await fixture();
    mediator.after = 2;
    const giveUp = new AbortController();
    const locking = session.locks.set(LOCK, true, giveUp.signal);
    giveUp.abort();
    await assert.rejects(locking, { code: 'CANCELLED' });
    assert.deepEqual(mediator.restored, [[3, []]]);
    assert.equal(getEventListeners(giveUp.signal, 'abort').length, 0);
    await session.end();
  });

  it('does not wait for numbers of a mediator that is no more, and asks the next for the lock', async () => {
    const { mediator, heard, session, clock, turn, forget } = await fixture();
    mediator.after = 99;
    const locking = session.locks.set(LOCK, true, new AbortController().signal);
    await turn();
    mediator.after = 1;
    mediator.tell(new ServiceError('UNREACHABLE', 'gone'));
    await turn();
    await clock.advance(1000);
    await turn();
    assert.deepEqual(heard, ['anything']);
    assert.deepEqual(mediator.begunWith, [[], []], 'the lock is not had yet');
    forget();
    await locking;
    assert.equal(mediator.locked.length, 2);
    await session.end();
  });

  it('hears which locks it has lost before anything else of the mediator that it begins with again', async () => {
    const { mediator, heard, session, clock, turn } = await fixture();
    await session.locks.set(LOCK, false, new AbortController().signal);
    await session.locks.set({ ...LOCK, inode: 4 }, false, new AbortController().signal);
    mediator.lost = [LOCK];
    mediator.tell(new ServiceError('NO_SESSION', 'silent'));
    await turn();
    await clock.advance(1000);
    await turn();
    assert.deepEqual(mediator.begunAt, [null, 'm1'], 'it says with whom it had a session');
    assert.deepEqual(heard, ['lost 3', 'anything']);
    assert.deepEqual(
      [3, 4].map((inode) => session.locks.has(inode, LOCK)),
      [false, true],
    );
    mediator.tell(new ServiceError('UNREACHABLE', 'gone'));
    mediator.lost = [];
    await turn();
    await clock.advance(1000);
    await turn();
    assert.deepEqual(
      mediator.begunWith.at(-1)?.map(({ inode }) => inode),
      [4],
    );
    await session.end();
  });

  it('says what is open when it begins, and with its next question what was closed', async () => {
    const { mediator, session, files, turn } = await fixture();
    assert.deepEqual([mediator.begun, mediator.closed], [[[5]], [[]]]);
    files.closed.push(5);
    mediator.tell({ items: [], last: 1, missed: false });
    await turn();
    assert.deepEqual(mediator.closed, [[], [5]]);
    await session.end();
  });
});
