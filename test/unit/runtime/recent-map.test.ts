// A map that keeps what was used last.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { RecentMap } from '../../../src/runtime/recent-map.js';

const MOST = 100;

describe('a map of what was used last', () => {
  it('never holds more than it may, and always the half that was used last', () => {
    const map = new RecentMap<number, string>(MOST);
    for (let key = 0; key < 10 * MOST; key++) {
      map.set(key, `value ${key}`);
      assert.ok(map.size <= MOST, `${map.size} entries`);
      for (let last = Math.max(0, key - MOST / 2 + 1); last <= key; last++) {
        if (key % 37 === 0) assert.equal(map.get(last), `value ${last}`);
      }
    }
    assert.equal(map.get(0), undefined);
  });

  it('never holds more than it may when nothing is asked for either', () => {
    for (const most of [1, 2, 3, 10, 101]) {
      const map = new RecentMap<number, number>(most);
      for (let key = 0; key < 5 * most; key++) {
        map.set(key, key);
        assert.ok(map.size <= most, `${map.size} entries of ${most}`);
      }
    }
  });

  it('keeps what is asked for again and again, however much comes', () => {
    const map = new RecentMap<string, number>(MOST);
    map.set('hot', 1);
    for (let key = 0; key < 10 * MOST; key++) {
      map.set(`cold ${key}`, key);
      assert.equal(map.get('hot'), 1);
    }
    assert.equal(map.get('cold 0'), undefined);
  });

  it('answers the last value that was set, and none after it was deleted, whatever moved meanwhile', () => {
    const map = new RecentMap<string, number>(MOST);
    for (const moved of [0, MOST / 2, MOST]) {
      map.set('key', moved);
      for (let key = 0; key < moved; key++) map.set(`other ${key}`, key);
      map.set('key', moved + 1);
      assert.equal(map.get('key'), moved + 1);
      map.delete('key');
      assert.equal(map.get('key'), undefined);
    }
    map.set('key', 5);
    map.clear();
    assert.deepEqual([map.size, map.get('key')], [0, undefined]);
  });
});
