import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'mocha';
import { RECLAIM_MS, Sessions } from '../../../src/mediator/sessions/sessions.js';
import {
  type FileLock,
  LONGEST_WAIT_MS,
  type OutdatedItem,
  SESSION_GRACE_MS,
} from '../../../src/protocol/services/sessions.js';
import { silentLog } from '../../../src/runtime/log.js';
import type { Runtime } from '../../../src/runtime/runtime.js';
import { ManualClock } from '../../support/manual-clock.js';

function fixture(reclaimMs = 0) {
  const clock = new ManualClock();
  const held = new Set<number>();
  const files = {
    hold: (inode: number) => void held.add(inode),
    release: async (inode: number) => void held.delete(inode),
  };
  const ended: string[] = [];
  const random = { fraction: () => 0.5, bytes: (count: number) => new Uint8Array(count) };
  const runtime = { clock, random, log: silentLog } as unknown as Runtime;
  const sessions = new Sessions(files, runtime, (client) => void ended.push(client), reclaimMs);
  const join = async (client: string, more: { open?: number[]; locks?: FileLock[]; mediator?: string } = {}) => {
    const options = { peer: {} };
    const request = { client, open: [], locks: [], mediator: null, ...more };
    return { options, ...(await sessions.service.begin(request, options)) };
  };
  return { clock, held, ended, sessions, join };
}

const item = (inode: number): OutdatedItem => ({ inode, content: true });
const write = (inode: number, owner = 1n): FileLock => ({
  inode,
  kind: 'posix',
  owner,
  start: 0n,
  end: 9n,
  type: 'write',
  pid: 7,
});

describe('sessions', () => {
  it('hear of what others change, in order, and not of what they change themselves', async () => {
    const { sessions, join } = fixture();
    const a = await join('a');
    const b = await join('b');
    sessions.publish([item(1)], a.options);
    sessions.publish([item(2)], undefined);
    sessions.publish([item(3)], b.options);
    const heard = await sessions.service.changes({ after: b.last, closed: [] }, b.options);
    assert.deepEqual(heard, { items: [item(1), item(2)], last: 3, missed: false });
    assert.deepEqual((await sessions.service.changes({ after: 0, closed: [] }, a.options)).items, [item(2), item(3)]);
  });

  it('get no new locks before others had time to come for those from an earlier mediator', async () => {
    const { clock, sessions, join } = fixture(RECLAIM_MS);
    const waiter = await join('waiter');
    const lock = { ...write(1), wait: true };
    let isGranted = false;
    const waiting = sessions.service.setLock(lock, waiter.options).then(({ granted }) => {
      isGranted = granted;
    });
    const tried = assert.rejects(sessions.service.setLock({ ...lock, wait: false }, waiter.options), {
      code: 'EAGAIN',
    });
    const seen = sessions.service.getLock(write(1), waiter.options);
    await clock.advance(RECLAIM_MS - 1);
    assert.equal(isGranted, false);
    const holder = await join('holder', { locks: [write(1)], mediator: 'an earlier one' });
    assert.deepEqual(holder.lost, []);
    await clock.advance(1);
    await tried;
    assert.equal((await seen).conflict?.inode, 1);
    assert.equal(isGranted, false);
    await sessions.service.end({}, holder.options);
    await waiting;
    assert.equal(isGranted, true);
    sessions.close();
  });

  it('wait for news, but not for ever', async () => {
    const { clock, sessions, join } = fixture();
    const a = await join('a');
    const b = await join('b');
    const waiting = sessions.service.changes({ after: 0, closed: [] }, b.options);
    sessions.publish([item(1)], a.options);
    assert.deepEqual((await waiting).items, [item(1)]);
    const inVain = sessions.service.changes({ after: 1, closed: [] }, b.options);
    await clock.advance(LONGEST_WAIT_MS);
    assert.deepEqual(await inVain, { items: [], last: 1, missed: false });
  });

  it('remember what somebody has not heard of, and nothing that all have', async () => {
    const { sessions, join } = fixture();
    const a = await join('a');
    const b = await join('b');
    const ask = (who: typeof a, after: number) => sessions.service.changes({ after, closed: [] }, who.options);
    for (let number = 0; number < 1000; number++) sessions.publish([item(number)], undefined);
    assert.equal((await ask(a, 0)).items.length, 1000);
    sessions.publish([item(1000)], undefined);
    assert.deepEqual((await ask(a, 1000)).items, [item(1000)]);
    assert.equal(sessions.kept().sessionChanges, 1001);
    assert.equal((await ask(b, 0)).items.length, 1001);
    sessions.publish([item(1001)], undefined);
    assert.deepEqual((await ask(b, 1001)).items, [item(1001)]);
    assert.equal(sessions.kept().sessionChanges, 1002 - 1000);
    assert.deepEqual(await ask(a, 1001), { items: [item(1001)], last: 1002, missed: false });
    sessions.close();
  });

  it('leave nothing at a signal whose question is answered', async () => {
    const { clock, sessions, join } = fixture();
    const { signal } = new AbortController();
    const a = await join('a');
    const b = await join('b');
    const options = { ...b.options, signal };
    const hearing = sessions.service.changes({ after: 0, closed: [] }, options);
    sessions.publish([item(1)], a.options);
    await hearing;
    const inVain = sessions.service.changes({ after: 1, closed: [] }, options);
    await clock.advance(LONGEST_WAIT_MS);
    await inVain;
    // It has been silent for long.
    await sessions.service.begin({ client: 'a', open: [], locks: [], mediator: null }, a.options);
    await sessions.service.setLock({ ...write(5), wait: false }, a.options);
    const waiting = sessions.service.setLock({ ...write(5), wait: true }, options);
    await clock.advance(LONGEST_WAIT_MS);
    assert.equal((await waiting).granted, false);
    const granted = sessions.service.setLock({ ...write(5), wait: true }, options);
    await sessions.service.setLock({ ...write(5), type: null, wait: false }, a.options);
    assert.equal((await granted).granted, true);
    assert.deepEqual(getEventListeners(signal, 'abort'), []);
  });

  it('are told when they have missed too much', async () => {
    const { sessions, join } = fixture();
    const a = await join('a');
    const b = await join('b');
    for (let n = 0; n < 25_000; n++) sessions.publish([item(n)], a.options);
    assert.equal((await sessions.service.changes({ after: 0, closed: [] }, b.options)).missed, true);
    assert.equal((await sessions.service.changes({ after: 24_990, closed: [] }, b.options)).items.length, 10);
  });

  it('go on over another connection, and miss nothing', async () => {
    const { sessions, join } = fixture();
    const a = await join('a');
    const b = await join('b');
    await sessions.service.setLock({ ...write(5), wait: false }, b.options);
    sessions.publish([item(1)], a.options);
    const again = await join('b', { locks: [write(5)] });
    assert.deepEqual([again.known, again.lost], [true, []]);
    assert.deepEqual((await sessions.service.changes({ after: b.last, closed: [] }, again.options)).items, [item(1)]);
    await assert.rejects(sessions.service.setLock({ ...write(5), wait: false }, a.options), { code: 'EAGAIN' });
  });

  it('say with a lock which changes of others came before it', async () => {
    const { sessions, join } = fixture();
    const a = await join('a');
    const b = await join('b');
    assert.equal((await sessions.service.setLock({ ...write(5), wait: false }, a.options)).after, 0);
    const waiting = sessions.service.setLock({ ...write(5), wait: true }, b.options);
    sessions.publish([item(5)], b.options);
    sessions.publish([item(5), item(6)], a.options);
    sessions.publish([item(5)], b.options);
    await sessions.service.setLock({ ...write(5), type: null, wait: false }, a.options);
    assert.deepEqual(await waiting, { granted: true, after: 3 }, 'its own last one is no news to it');
  });

  it('keep files that they have open, and say later that they closed them', async () => {
    const { held, sessions, join } = fixture();
    const a = await join('a');
    const b = await join('b');
    sessions.opened(3, a.options);
    sessions.opened(3, b.options);
    sessions.opened(4, b.options);
    assert.deepEqual(
      [sessions.countElsewhere(a.options), sessions.openElsewhere(b.options), sessions.countElsewhere(undefined)],
      [2, [3], 3],
    );
    // Its last name goes.
    sessions.hold(3, a.options);
    await sessions.release(3, a.options);
    assert.deepEqual([[...held], sessions.isOpenElsewhere(3, a.options)], [[3], true]);
    sessions.publish([item(9)], a.options);
    await sessions.service.changes({ after: b.last, closed: [3] }, b.options);
    assert.deepEqual([[...held], sessions.openElsewhere(a.options)], [[], [4]]);
  });

  it('that come back say what they have open', async () => {
    const { held, sessions, join } = fixture();
    const a = await join('a');
    sessions.opened(3, a.options);
    sessions.opened(4, a.options);
    sessions.hold(3, undefined);
    sessions.hold(4, undefined);
    const again = await join('a', { open: [4, 5] });
    assert.deepEqual([again.known, [...held]], [true, [4]]);
    assert.deepEqual(sessions.openElsewhere(undefined), [4, 5]);
  });

  it('that nobody hears of any more give up what they held and locked', async () => {
    const { clock, held, ended, sessions, join } = fixture();
    const a = await join('a');
    const b = await join('b');
    sessions.hold(8, a.options);
    sessions.hold(9, a.options);
    sessions.hold(9, b.options);
    await sessions.service.setLock({ ...write(5), wait: false }, a.options);
    const waiting = sessions.service.setLock({ ...write(5), wait: true }, b.options);
    const polling = sessions.service.changes({ after: 0, closed: [] }, b.options);
    await clock.advance(LONGEST_WAIT_MS);
    assert.deepEqual(await waiting, { granted: false, after: 0 });
    await polling;
    await clock.advance(SESSION_GRACE_MS - LONGEST_WAIT_MS);
    assert.deepEqual(await sessions.service.setLock({ ...write(5), wait: false }, b.options), {
      granted: true,
      after: 0,
    });
    assert.deepEqual([...held], [9], 'another session still holds it');
    await assert.rejects(sessions.service.changes({ after: 0, closed: [] }, a.options), { code: 'NO_SESSION' });
    await sessions.service.end({}, b.options);
    assert.deepEqual([...held], []);
    assert.deepEqual(ended, ['b'], 'only who says so will not ask again');
  });

  it('that end while a question of theirs waits are over once, and not silent later', async () => {
    const { clock, held, ended, sessions, join } = fixture();
    const a = await join('a', { open: [3] });
    const waiting = sessions.service.changes({ after: a.last, closed: [] }, a.options);
    await sessions.service.end({}, a.options);
    assert.deepEqual((await waiting).items, []);
    await clock.advance(SESSION_GRACE_MS / 2);
    // The same client begins anew; what was left of its first session must not end this one.
    const again = await join('a');
    const asking = sessions.service.changes({ after: again.last, closed: [] }, again.options);
    await clock.advance(LONGEST_WAIT_MS);
    await asking;
    await clock.advance(SESSION_GRACE_MS / 2);
    sessions.refuseExpired(a.options);
    assert.deepEqual([sessions.kept().sessions, ended, [...held]], [1, ['a'], []]);
  });

  it('say what they had to a mediator that has forgotten, which gives them what nobody else got', async () => {
    const { held, sessions, join } = fixture();
    const b = await join('b');
    await sessions.service.setLock({ ...write(5), wait: false }, b.options);
    const { known, lost } = await join('a', { open: [3], locks: [write(5), write(6)] });
    assert.equal(known, false);
    assert.deepEqual(lost, [write(5)]);
    assert.deepEqual([...held], [3]);
    await assert.rejects(sessions.service.setLock({ ...write(6), wait: false }, b.options), { code: 'EAGAIN' });
  });

  it('have lost for good what another had meanwhile, and nothing else', async () => {
    const { clock, sessions, join } = fixture();
    const a = await join('a');
    const b = await join('b');
    const had = [write(5), write(6), { ...write(7), type: 'read' as const }];
    for (const lock of had) await sessions.service.setLock({ ...lock, wait: false }, a.options);
    const polling = sessions.service.changes({ after: 0, closed: [] }, b.options);
    await clock.advance(LONGEST_WAIT_MS);
    await polling;
    await clock.advance(SESSION_GRACE_MS - LONGEST_WAIT_MS);
    // Given back at once: what the lock guards may have changed.
    await sessions.service.setLock({ ...write(5), wait: false }, b.options);
    await sessions.service.setLock({ ...write(5), type: null, wait: false }, b.options);
    await sessions.service.setLock({ ...write(7), type: 'read', wait: false }, b.options);
    const again = await join('a', { locks: had, mediator: a.mediator });
    assert.deepEqual([again.known, again.lost], [false, [write(5)]]);
    // As when that answer never came.
    const repeated = await join('a', { locks: had, mediator: a.mediator });
    assert.deepEqual([repeated.known, repeated.lost], [true, [write(5)]]);
    await assert.rejects(sessions.service.setLock({ ...write(6), wait: false }, b.options), { code: 'EAGAIN' });
    await assert.rejects(sessions.service.setLock({ ...write(7), wait: false }, b.options), { code: 'EAGAIN' });
    await sessions.service.setLock({ ...write(5), wait: false }, b.options);
  });

  it('ask for nothing once they are over, until they have begun again, while callers without any may ask', async () => {
    const { clock, sessions, join } = fixture();
    const a = await join('a');
    sessions.refuseExpired(a.options);
    await clock.advance(SESSION_GRACE_MS);
    assert.throws(() => sessions.refuseExpired(a.options), { code: 'NO_SESSION' });
    assert.throws(() => sessions.countWrite(a.options), { code: 'NO_SESSION' });
    await assert.rejects(sessions.service.setLock({ ...write(5), wait: false }, a.options), { code: 'NO_SESSION' });
    sessions.refuseExpired({ peer: {} });
    sessions.refuseExpired(undefined);
    const again = await join('a', { mediator: a.mediator });
    sessions.refuseExpired(again.options);
    assert.throws(() => sessions.refuseExpired(a.options), { code: 'NO_SESSION' }, 'of the connection before');
  });

  it('keep their locks while a write of theirs is under way, however long', async () => {
    const { clock, sessions, join } = fixture();
    const a = await join('a');
    await sessions.service.setLock({ ...write(5), wait: false }, a.options);
    const counted = sessions.countWrite(a.options);
    await clock.advance(3 * SESSION_GRACE_MS);
    const b = await join('b');
    await assert.rejects(sessions.service.setLock({ ...write(5), wait: false }, b.options), { code: 'EAGAIN' });
    assert.ok(counted !== undefined);
    counted.writes--;
    const polling = sessions.service.changes({ after: 0, closed: [] }, b.options);
    await clock.advance(LONGEST_WAIT_MS);
    await polling;
    await clock.advance(SESSION_GRACE_MS - LONGEST_WAIT_MS);
    assert.equal((await sessions.service.setLock({ ...write(5), wait: false }, b.options)).granted, true);
  });
});
