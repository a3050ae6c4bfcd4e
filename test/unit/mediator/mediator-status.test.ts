// What status says of several mediators: only one is shown as the active one.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { mediatorStatuses } from '../../../src/mediator/admin/mediator-status.js';
import { ServiceError } from '../../../src/protocol/errors.js';
import type { Standing } from '../../../src/protocol/services/standing.js';

const ADDRESS = '127.0.0.1:1';

function other(name: string, standing: Partial<Standing> | null) {
  const service = {
    async status() {
      if (standing === null) throw new ServiceError('UNREACHABLE', 'gone');
      return { role: 'standby', isServing: false, term: 1, reason: '', ...standing };
    },
  };
  return { name, address: ADDRESS, remote: { service: <T>() => service as T } };
}

async function states(own: { role: 'active' | 'standby'; epoch: number }, others: ReturnType<typeof other>[]) {
  const all = await mediatorStatuses({ name: 'b', address: ADDRESS, ...own }, others);
  return all.map(({ name, state, epoch }) => `${name} ${state} ${epoch}`);
}

describe('the mediators in status', () => {
  it('are in the order of their names, each with what it says of itself', async () => {
    const others = [other('c', null), other('a', { term: 2 })];
    assert.deepEqual(await states({ role: 'active', epoch: 2 }, others), ['a standby 2', 'b active 2', 'c down 0']);
  });

  it('have one that is active: one that was replaced may not know it', async () => {
    const replaced = other('a', { role: 'active', isServing: true, term: 2 });
    assert.deepEqual(await states({ role: 'active', epoch: 3 }, [replaced]), ['a standby 2', 'b active 3']);
    const next = other('a', { role: 'active', isServing: true, term: 4 });
    assert.deepEqual(await states({ role: 'active', epoch: 3 }, [next]), ['a active 4', 'b standby 3']);
  });

  it('have none that is active while it does not know whether it is', async () => {
    const unsure = other('a', { role: 'active', isServing: false, term: 3 });
    assert.deepEqual(await states({ role: 'standby', epoch: 2 }, [unsure]), ['a standby 3', 'b standby 2']);
  });
});
