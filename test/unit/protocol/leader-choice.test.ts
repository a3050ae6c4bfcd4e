// Which metaserver is taken for the leader.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { chooseLeader } from '../../../src/protocol/following/leader-choice.js';

describe('the choice among metaservers', () => {
  // Each as name, term, and an exclamation mark for one that serves.
  const cases: [said: string, more: { lastTerm?: number; hint?: string; isLate?: boolean }, taken: string | null][] = [
    ['', {}, null],
    ['a1 b1 c1', {}, null],
    ['a1 b1 c1', { isLate: true }, null],
    ['a1! b1 c1', {}, 'a'],
    ['a1! b1', {}, 'a'],
    // The other two may be a majority of a later term.
    ['a1!', {}, null],
    ['a1!', { isLate: true }, 'a'],
    ['a1!', { hint: 'a' }, 'a'],
    ['a1!', { hint: 'b' }, null],
    ['a1! b2', { hint: 'a' }, null],
    ['a1! b2!', {}, 'b'],
    ['a2! b1! c1', {}, 'a'],
    ['a2! b1!', { hint: 'b' }, 'a'],
    // Somebody knows of a later term, and has not won it.
    ['a1! b2 c1', {}, null],
    ['a1! b2 c1', { isLate: true }, 'a'],
    // The leader of that term was followed already.
    ['a1! b1', { lastTerm: 2 }, null],
    ['a1! b1', { lastTerm: 2, isLate: true }, 'a'],
    ['a2! b1', { lastTerm: 2 }, 'a'],
  ];
  for (const [said, more, taken] of cases) {
    const given = Object.entries(more).map(([key, value]) => `${key} ${value}`);
    it(`of ${said === '' ? 'nobody' : said}${given.length > 0 ? `, ${given.join(', ')}` : ''} is ${taken}`, () => {
      const statuses = new Map(
        said
          .split(' ')
          .filter((one) => one !== '')
          .map((one) => [one.charAt(0), { term: Number.parseInt(one.slice(1), 10), isServing: one.endsWith('!') }]),
      );
      const nothing = { lastTerm: -1, hint: undefined, isLate: false };
      assert.equal(chooseLeader({ statuses, mustAnswer: 2, ...nothing, ...more }), taken);
    });
  }

  it('of four needs three that have answered, since two may be half of each of two groups', () => {
    const statuses = new Map([
      ['a', { term: 1, isServing: true }],
      ['b', { term: 1, isServing: false }],
    ]);
    const rest = { mustAnswer: 3, lastTerm: -1, hint: undefined, isLate: false };
    assert.equal(chooseLeader({ statuses, ...rest }), null);
    statuses.set('c', { term: 1, isServing: false });
    assert.equal(chooseLeader({ statuses, ...rest }), 'a');
  });
});
