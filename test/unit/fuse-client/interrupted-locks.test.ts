// Two mounts of one mediator, whose answers about locks get lost. A mount never takes a lock for its own that the mediator has
// given to the other.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'mocha';
import { MountSession } from '../../../src/fuse-client/session/mount-session.js';
import { Sessions } from '../../../src/mediator/sessions/sessions.js';
import { ServiceError } from '../../../src/protocol/errors.js';
import type { CallOptions } from '../../../src/protocol/services/service.js';
import type { FileLock, LockType, SessionService } from '../../../src/protocol/services/sessions.js';
import type { Runtime } from '../../../src/runtime/runtime.js';
import { ManualClock, settle } from '../../support/manual-clock.js';
import { RecordingLog } from '../../support/recording-log.js';

const END = 0x7fff_ffff_ffff_ffffn;
const PID = 7;

/** A mount whose requests about locks pass through faults. */
interface Mounted {
  session: MountSession;
  log: RecordingLog;
  lost: string[];
  /**
   * Of the next request; the mediator carries it out unless it is unheard or missed. unanswered: it fails. held: it is answered when `answer` is
   * called. cut: it fails, and all later ones are unheard. unheard: it and all later ones fail. missed: it fails, the next are answered.
   */
  fate: 'answered' | 'unanswered' | 'held' | 'cut' | 'unheard' | 'missed';
  answer: () => void;
  /** The mount begins its session again. */
  begin: () => Promise<void>;
}

const mounted: Mounted[] = [];

afterEach(async () => {
  for (const { session } of mounted.splice(0)) await session.end();
});

function textOf({ type, start, end }: FileLock): string {
  return `${type} ${start}-${end}`;
}

function fixture() {
  const clock = new ManualClock();
  let count = 0;
  const runtime = (log: RecordingLog) => {
    const random = { fraction: () => 0.5, bytes: (length: number) => new Uint8Array(length).fill(++count) };
    return { clock, random, log } as unknown as Runtime;
  };
  const sessions = new Sessions({ hold() {}, async release() {} }, runtime(new RecordingLog()), () => {}, 0);
  const mount = async (): Promise<Mounted> => {
    const peer = {};
    const log = new RecordingLog();
    let interrupt = () => {};
    const answered = async <T>(call: () => Promise<T>): Promise<T> => {
      if (made.fate === 'unheard') throw new ServiceError('UNREACHABLE', 'on the way there');
      if (made.fate === 'missed') {
        made.fate = 'answered';
        throw new ServiceError('DEADLINE', 'on the way there');
      }
      const result = await call();
      const { fate } = made;
      made.fate = fate === 'cut' ? 'unheard' : 'answered';
      if (fate === 'unanswered') throw new ServiceError('DEADLINE', 'on the way back');
      if (fate === 'cut') throw new ServiceError('UNREACHABLE', 'on the way back');
      if (fate === 'held') {
        await new Promise<void>((resolve) => {
          made.answer = resolve;
        });
      }
      return result;
    };
    const { service } = sessions;
    const through: SessionService = {
      begin: (request) => service.begin(request, { peer }),
      changes: (request, options) => {
        const broken = new Promise<never>((_resolve, reject) => {
          interrupt = () => reject(new ServiceError('UNREACHABLE', 'broken'));
        });
        return Promise.race([service.changes(request, { ...options, peer }), broken]);
      },
      setLock: (request, options) => answered(() => service.setLock(request, { ...options, peer } as CallOptions)),
      restoreLocks: (request) => answered(() => service.restoreLocks(request, { peer })),
      getLock: (request) => service.getLock(request, { peer }),
      end: (request) => service.end(request, { peer }),
    };
    const listener = {
      ...{ outdated: async () => {}, missedChanges: async () => {}, open: () => [], takeClosed: () => [] },
      lostLocks: (locks: readonly FileLock[]) => void made.lost.push(...locks.map(textOf)),
    };
    const made: Mounted = {
      session: new MountSession(through, listener, runtime(log), undefined),
      ...{ log, lost: [], fate: 'answered', answer: () => {} },
      begin: async () => {
        interrupt();
        await settle();
        await clock.advance(500);
      },
    };
    await made.session.start();
    mounted.push(made);
    return made;
  };
  return { mount };
}

const range = (start: number, end: number) =>
  ({ inode: 3, kind: 'posix', owner: 1n, start: BigInt(start), end: BigInt(end) }) as const;

function set({ session }: Mounted, type: LockType | null, start = 0, end = 9, wait = false): Promise<void> {
  return session.locks.set({ ...range(start, end), type, pid: PID }, wait, new AbortController().signal);
}

/** Asks for a lock and waits; `hasLock` says whether it was granted. */
function waiting(mount: Mounted, type: LockType, start = 0, end = 9) {
  const state = { hasLock: false };
  const done = set(mount, type, start, end, true).then(() => {
    state.hasLock = true;
  });
  return { state, done };
}

/** The first lock that is in the way of the mount, if any. */
async function seenBy({ session }: Mounted): Promise<string | null> {
  const found = await session.locks.get({ ...range(0, 0), end: END, type: 'write', pid: PID });
  return found === null ? null : textOf(found);
}

describe('a lock whose change was interrupted', () => {
  it('is had as before, and nobody who waits has it in between', async () => {
    const { mount } = fixture();
    const [a, b] = [await mount(), await mount()];
    await set(a, 'read');
    const other = waiting(b, 'write');
    await settle();
    a.fate = 'unanswered';
    await assert.rejects(set(a, 'write'), { code: 'DEADLINE' });
    await settle();
    assert.deepEqual([await seenBy(b), other.state.hasLock, a.lost], ['read 0-9', false, []]);
    await set(a, null);
    await other.done;
  });

  it('is lost, and its holder told, when others got in while it was less', async () => {
    const { mount } = fixture();
    const [a, b] = [await mount(), await mount()];
    await set(a, 'write', 0, 99);
    const other = waiting(b, 'read', 40, 49);
    await settle();
    a.fate = 'unanswered';
    await assert.rejects(set(a, 'read', 30, 59), { code: 'DEADLINE' });
    await other.done;
    assert.deepEqual(a.lost, ['write 30-59']);
    // What lies beside is as it was, and is given up with the rest.
    await assert.rejects(set(b, 'read', 0, 9), { code: 'EAGAIN' });
    await set(b, 'write', 30, 59);
    await a.session.locks.unlockAll(3, range(0, 0));
    assert.equal(await seenBy(b), null);
  });

  it('is no more than before where there was none', async () => {
    const { mount } = fixture();
    const [a, b] = [await mount(), await mount()];
    await set(a, 'read', 3, 4);
    a.fate = 'unanswered';
    await assert.rejects(set(a, 'write'), { code: 'DEADLINE' });
    assert.equal(await seenBy(b), 'read 3-4');
    await set(b, 'write', 0, 2);
    await set(b, 'write', 5, 9);
  });

  it('is gone after an unlock that the mediator has not heard of', async () => {
    const { mount } = fixture();
    const [a, b] = [await mount(), await mount()];
    await set(a, 'write');
    a.fate = 'missed';
    await assert.rejects(set(a, null, 2, 9), { code: 'DEADLINE' });
    assert.equal(await seenBy(b), 'write 0-1');
  });

  it('leaves alone what another request of its owner was granted meanwhile', async () => {
    const { mount } = fixture();
    const [a, b] = [await mount(), await mount()];
    a.fate = 'held';
    const other = set(a, 'write', 0, 4);
    await settle();
    a.fate = 'unanswered';
    await assert.rejects(set(a, 'write', 0, 9), { code: 'DEADLINE' });
    a.answer();
    await other;
    assert.deepEqual([await seenBy(b), a.session.locks.has(3, range(0, 0))], ['write 0-4', true]);
  });

  it('is told to the mediator with the next session when it could not be told at once', async () => {
    const { mount } = fixture();
    const [a, b] = [await mount(), await mount()];
    a.fate = 'cut';
    await assert.rejects(set(a, 'write'), { code: 'UNREACHABLE' });
    assert.equal(a.log.named('session.lock_unclear').length, 1);
    const other = waiting(b, 'write');
    await settle();
    assert.equal(other.state.hasLock, false);
    a.fate = 'answered';
    await a.begin();
    await other.done;
    assert.deepEqual(a.lost, []);
  });
});

describe('locks of a session that is begun again over another connection', () => {
  it('are not lost because they were about to become less, when nobody has noticed', async () => {
    const { mount } = fixture();
    const [a, b] = [await mount(), await mount()];
    await set(a, 'write');
    a.fate = 'held';
    const lowering = set(a, 'read', 2, 4);
    await settle();
    await a.begin();
    assert.deepEqual([a.lost, await seenBy(b)], [[], 'write 0-9']);
    a.answer();
    await lowering;
    await set(b, 'read', 2, 4);
    await assert.rejects(set(b, 'read', 2, 5), { code: 'EAGAIN' });
  });

  it('are not lost because a part was about to become more', async () => {
    const { mount } = fixture();
    const [a, b] = [await mount(), await mount()];
    await set(a, 'read');
    a.fate = 'held';
    const raising = set(a, 'write', 2, 4);
    await settle();
    await a.begin();
    assert.deepEqual([a.lost, await seenBy(b)], [[], 'read 0-9']);
    a.answer();
    await raising;
    await assert.rejects(set(b, 'read', 2, 4), { code: 'EAGAIN' });
  });

  it('are lost when others got in while they were less', async () => {
    const { mount } = fixture();
    const [a, b] = [await mount(), await mount()];
    await set(a, 'write');
    a.fate = 'held';
    const lowering = set(a, 'read');
    await set(b, 'read');
    await a.begin();
    assert.deepEqual(a.lost, ['write 0-9']);
    a.answer();
    await lowering;
    assert.equal(a.session.locks.has(3, range(0, 0)), true, 'what was asked for is had');
  });
});
