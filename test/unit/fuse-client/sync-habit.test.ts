import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'mocha';
import { SyncHabit } from '../../../src/fuse-client/write-back/sync-habit.js';

describe('the habit of calling fsync after each write', () => {
  let habit: SyncHabit;

  beforeEach(() => {
    habit = new SyncHabit();
  });

  /** Writes with an fsync each: which of them were expected to have one. */
  function rounds(count: number): boolean[] {
    return Array.from({ length: count }, () => {
      const isExpected = habit.wrote();
      habit.synced();
      return isExpected;
    });
  }

  it('is believed from the fourth write on, for as long as it lasts', () => {
    assert.deepEqual(rounds(8), [false, false, false, true, true, true, true, true]);
  });

  it('ends with two writes that share an fsync', () => {
    rounds(5);
    assert.equal(habit.wrote(), true);
    assert.equal(habit.wrote(), false);
    habit.synced();
    assert.deepEqual(rounds(4), [false, false, false, true]);
  });

  it('is neither made nor ended by an fsync without a write', () => {
    for (let count = 0; count < 5; count++) habit.synced();
    assert.deepEqual(rounds(3), [false, false, false]);
    habit.synced();
    assert.deepEqual(rounds(1), [true]);
  });

  it('can be forgotten', () => {
    rounds(5);
    habit.wrote();
    habit.forget();
    assert.deepEqual(rounds(4), [false, false, false, true]);
  });
});
