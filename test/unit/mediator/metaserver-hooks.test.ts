// The test hooks of metaservers: what is refused, since it would lose names.
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'mocha';
import { MetaserverHooks } from '../../../src/mediator/admin/metaserver-hooks.js';
import { FakeMetaserver, FOLLOWER } from '../../support/fake-metaserver.js';
import { ManualClock } from '../../support/manual-clock.js';

describe('the hooks of metaservers', () => {
  let servers: FakeMetaserver[];
  let done: string[];
  const supervisor = {
    restart: async (name: string, blank: boolean) => void done.push(`${blank ? 'blank' : 'new'} ${name}`),
    terminate: async (name: string) => void done.push(`end ${name}`),
  };

  beforeEach(() => {
    const clock = new ManualClock();
    const names = ['meta1', 'meta2', 'meta3'];
    servers = names.map((name) => new FakeMetaserver(name, clock));
    for (const server of servers) server.status = { ...FOLLOWER, voters: names };
    done = [];
  });

  it('are carried out by the supervisor', async () => {
    const hooks = new MetaserverHooks(servers, supervisor);
    assert.ok(hooks.has('meta2') && !hooks.has('data1'));
    await hooks.terminate('meta2');
    await hooks.restart('meta2', false);
    await hooks.restart('meta2', true);
    assert.deepEqual(done, ['end meta2', 'new meta2', 'blank meta2']);
  });

  it('fail where there is none', async () => {
    const hooks = new MetaserverHooks(servers, undefined);
    await assert.rejects(hooks.terminate('meta2'), { code: 'FAILED', message: /nobody supervises meta2 here/ });
    await assert.rejects(hooks.restart('meta2', false), { code: 'FAILED', message: /nobody supervises meta2 here/ });
  });

  it('wipe no store that may be needed', async () => {
    const hooks = new MetaserverHooks(servers, supervisor);
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
    const hooks = new MetaserverHooks(servers.slice(0, 1), supervisor);
    await assert.rejects(hooks.restart('meta1', true), { code: 'REFUSED', message: /meta1 is the only metaserver/ });
    await hooks.restart('meta1', false);
    assert.deepEqual(done, ['new meta1']);
  });

  it('count nobody who has not caught up', async () => {
    for (const server of servers) server.status = { ...FOLLOWER, voters: ['meta1', 'meta2'] };
    const hooks = new MetaserverHooks(servers, supervisor);
    await assert.rejects(hooks.restart('meta2', true), { code: 'REFUSED' });
    await hooks.restart('meta3', true);
    assert.deepEqual(done, ['blank meta3']);
  });
});
