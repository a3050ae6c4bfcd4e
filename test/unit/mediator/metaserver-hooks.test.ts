// The test hooks of metaservers: what is refused, since it would lose names.
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'mocha';
import { MetaserverHooks } from '../../../src/mediator/admin/metaserver-hooks.js';
import { FakeMetaserver, FOLLOWER } from '../../support/fake-metaserver.js';
import { ManualClock } from '../../support/manual-clock.js';

const NAMES = ['meta1', 'meta2', 'meta3'];

describe('the hooks of metaservers', () => {
  let clock: ManualClock;
  let servers: FakeMetaserver[];
  let done: string[];
  const supervisor = {
    restart: async (name: string, blank: boolean) => void done.push(`${blank ? 'blank' : 'new'} ${name}`),
    terminate: async (name: string) => void done.push(`end ${name}`),
    hold: () => Promise.reject(new Error('unused')),
  };

  beforeEach(() => {
    clock = new ManualClock();
    servers = NAMES.map((name) => new FakeMetaserver(name, clock));
    for (const server of servers) server.status = { ...FOLLOWER, voters: NAMES };
    done = [];
  });

  it('are carried out by the supervisor', async () => {
    const hooks = new MetaserverHooks(servers, supervisor, clock);
    assert.ok(hooks.has('meta2') && !hooks.has('data1'));
    await hooks.terminate('meta2');
    await hooks.restart('meta2', false);
    await hooks.restart('meta2', true);
    assert.deepEqual(done, ['end meta2', 'new meta2', 'blank meta2']);
  });

  it('fail where there is none', async () => {
    const hooks = new MetaserverHooks(servers, undefined, clock);
    await assert.rejects(hooks.terminate('meta2'), { code: 'FAILED', message: /nobody supervises meta2 here/ });
    await assert.rejects(hooks.restart('meta2', false), { code: 'FAILED', message: /nobody supervises meta2 here/ });
  });

  it('wipe no store that may be needed', async () => {
    const hooks = new MetaserverHooks(servers, supervisor, clock);
    servers[0]?.disconnect();
    await assert.rejects(hooks.restart('meta2', true), {
      code: 'REFUSED',
      message: 'meta2 is not wiped: 1 others are there, and 2 must be, or names could be lost',
    });
    // The one that is away is not needed: the two others have all.
    await hooks.restart('meta1', true);
    await hooks.restart('meta2', false);
    assert.deepEqual(done, ['blank meta1', 'new meta2']);
  });

  it('wipe no lone metaserver', async () => {
    const hooks = new MetaserverHooks(servers.slice(0, 1), supervisor, clock);
    await assert.rejects(hooks.restart('meta1', true), { code: 'REFUSED', message: /meta1 is the only metaserver/ });
    await hooks.restart('meta1', false);
    assert.deepEqual(done, ['new meta1']);
  });

  it('count nobody who has not caught up', async () => {
    for (const server of servers) server.status = { ...FOLLOWER, voters: ['meta1', 'meta2'] };
    const hooks = new MetaserverHooks(servers, supervisor, clock);
    await assert.rejects(hooks.restart('meta2', true), { code: 'REFUSED' });
    await hooks.restart('meta3', true);
    assert.deepEqual(done, ['blank meta3']);
  });

  for (const role of ['blank', 'learner'] as const) {
    it(`wipe no second store while the first wiped one is a ${role}, though the group still counts what it was before`, async () => {
      const hooks = new MetaserverHooks(servers, supervisor, clock);
      await hooks.restart('meta1', true);
      const [first, second, third] = servers as [FakeMetaserver, FakeMetaserver, FakeMetaserver];
      // A blank one knows nothing; a learner has what the leader says: its name is in both lists.
      const lists = role === 'blank' ? { voters: [] } : { voters: NAMES, learners: ['meta1'] };
      first.status = { ...FOLLOWER, role, ...lists };
      second.status = { ...FOLLOWER, role: 'leader', isServing: true, voters: NAMES, learners: lists.learners ?? [] };
      third.status = { ...FOLLOWER, voters: NAMES };
      for (const server of ['meta2', 'meta3']) {
        await assert.rejects(hooks.restart(server, true), {
          code: 'REFUSED',
          message: `${server} is not wiped: 1 others are there, and 2 must be, or names could be lost`,
        });
      }
      // That one has nothing to lose.
      await hooks.restart('meta1', true);
      assert.deepEqual(done, ['blank meta1', 'blank meta1']);
    });
  }

  describe('wait for a restarted metaserver', () => {
    let leader: FakeMetaserver;
    let back: FakeMetaserver;
    let isBack: boolean;

    function wait(): Promise<void> {
      const hooks = new MetaserverHooks(servers, supervisor, clock);
      return hooks.untilBack('meta3', 5000).then(() => {
        isBack = true;
      });
    }

    beforeEach(() => {
      isBack = false;
      [leader, , back] = servers as [FakeMetaserver, FakeMetaserver, FakeMetaserver];
      leader.status = { ...FOLLOWER, role: 'leader', isServing: true, committedIndex: 20, voters: NAMES };
    });

    it('until it has what was committed when it came back', async () => {
      back.disconnect();
      const waiting = wait();
      await clock.advance(500);
      leader.status = { ...leader.status, committedIndex: 90 };
      back.reconnect();
      back.status = { ...back.status, appliedIndex: 19 };
      await clock.advance(500);
      assert.equal(isBack, false);
      back.status = { ...back.status, appliedIndex: 20 };
      await clock.advance(50);
      await waiting;
    });

    it('until it is a voter again, where it was wiped', async () => {
      const waiting = wait();
      back.status = { ...FOLLOWER, role: 'blank' };
      await clock.advance(500);
      leader.status = { ...leader.status, learners: ['meta3'] };
      back.status = { ...FOLLOWER, role: 'learner', appliedIndex: 20, voters: NAMES, learners: ['meta3'] };
      await clock.advance(500);
      assert.equal(isBack, false);
      leader.status = { ...leader.status, learners: [] };
      back.status = { ...FOLLOWER, appliedIndex: 20, voters: NAMES };
      await clock.advance(50);
      await waiting;
    });

    it('and for no leader where too few are there to have one', async () => {
      leader.disconnect();
      const waiting = wait();
      await clock.advance(500);
      assert.equal(isBack, false, 'two of three elect one');
      servers[1]?.disconnect();
      await clock.advance(50);
      await waiting;
    });

    it('for as long as they are told to, and say why', async () => {
      back.status = { ...back.status, appliedIndex: 19 };
      const waiting = assert.rejects(wait(), {
        code: 'FAILED',
        message: 'meta3 runs, and does not take part again: it is a follower that has 19 of 20 entries',
      });
      await clock.advance(5000);
      await waiting;
      back.disconnect();
      const vain = assert.rejects(wait(), { message: /does not take part again: meta3 can't be reached$/ });
      await clock.advance(5000);
      await vain;
    });
  });
});
