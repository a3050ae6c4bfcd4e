import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { CoreStatus, Entry } from '../../../src/replication/core/core.js';
import { SeededRandom } from '../../simulation/world/seeded-random.js';
import { makeViewstamped } from './make-cores.js';
import { SimulatedMember } from './simulated-member.js';

const entry = (index: number): Entry => ({ index, term: 1, content: { kind: 'data', data: index, bytes: 1 } });

describe('a simulated member', () => {
  it('is damaged until it has applied what it had lost: what it knows to be committed may not be stored yet', () => {
    const member = new SimulatedMember('m001', ['m001', 'm002', 'm003'], makeViewstamped, new SeededRandom(1));
    member.entries = [entry(1), entry(2), entry(3)];
    member.damage(2);
    member.start();
    const knows = (applicable: number): CoreStatus => ({
      ...(member.core?.status ?? assert.fail()),
      ...{ committed: 3, applicable },
    });
    assert.equal([...member.applyNext(knows(1))].length, 1);
    assert.equal(member.damagedUpTo, 3, 'two entries are still being written');
    member.entries.push(entry(2), entry(3));
    assert.equal([...member.applyNext(knows(3))].length, 2);
    assert.equal(member.damagedUpTo, 0);
  });
});
