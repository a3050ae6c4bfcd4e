// Whom a member of a group without votes takes for the next primary.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Living } from '../../../src/replication/core/primary-backup/living.js';
import type { Helo } from '../../../src/replication/core/primary-backup/messages.js';

const LIMIT_TICKS = 10;
const OWN_START = 5;
const ROLL = { index: 1, term: 1, voters: ['a', 'b', 'c'] };

function helo(from: string, more: Partial<Helo> = {}): Helo {
  return {
    ...{ kind: 'helo', from, to: 'a', term: 1, roll: ROLL, isPrimary: false, isReturning: true },
    ...{ isWhole: true, start: 1, heardStart: OWN_START },
    ...more,
  };
}

/** What `a` takes for the next primary, having heard these. */
function next(helos: readonly Helo[], isReturning: boolean): string | null {
  const living = new Living(LIMIT_TICKS);
  for (const each of helos) living.helo(each);
  return living.next('a', ROLL, isReturning, OWN_START);
}

describe('the next primary', () => {
  it('is the lowest voter that has stayed', () => {
    assert.equal(next([], false), 'a');
    assert.equal(next([helo('b', { isReturning: false }), helo('c', { isReturning: false })], true), 'b');
    assert.equal(next([helo('c', { isReturning: false })], true), 'c');
  });

  it('is one that has stayed even where all voters are there', () => {
    assert.equal(next([helo('b'), helo('c', { isReturning: false })], true), 'c');
  });

  it('is the lowest of those that were away when all are there and have heard of this start', () => {
    assert.equal(next([helo('b'), helo('c')], true), 'a');
    assert.equal(next([helo('b')], true), null);
    assert.equal(next([helo('b'), helo('c', { heardStart: OWN_START - 1 })], true), null);
  });

  it('is nobody whose log is damaged', () => {
    assert.equal(
      next([helo('b', { isReturning: false, isWhole: false }), helo('c', { isReturning: false })], true),
      'c',
    );
    const living = new Living(LIMIT_TICKS);
    for (const each of [helo('a', { isWhole: false }), helo('c')]) living.helo(each);
    assert.equal(living.next('b', ROLL, true, OWN_START), 'b');
  });

  it('is nobody that was struck off by a newer roll', () => {
    const newer = { index: 2, term: 1, voters: ['b', 'c'] };
    assert.equal(next([helo('b', { roll: newer, isReturning: false })], false), 'b');
    assert.equal(next([helo('b', { roll: newer })], false), null);
  });

  it('is nobody that has been silent for too long', () => {
    const living = new Living(LIMIT_TICKS);
    living.helo(helo('b', { isReturning: false }));
    for (let tick = 0; tick < LIMIT_TICKS; tick++) living.tick();
    assert.equal(living.next('a', ROLL, true, OWN_START), null);
  });
});
