import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { boundedGroups } from '../../../src/mediator/replicas/bounded-groups.js';

const groups = (sizes: number[]) => boundedGroups(sizes, (size) => size, 10);

describe('blocks that travel together', () => {
  it('keep their order and fill a message', () => {
    assert.deepEqual(groups([4, 6, 1, 9, 3]), [[4, 6], [1, 9], [3]]);
    assert.deepEqual(groups([4, 5, 2]), [[4, 5], [2]]);
  });

  it('are alone where they are larger than a message', () => {
    assert.deepEqual(groups([3, 25, 3]), [[3], [25], [3]]);
    assert.deepEqual(groups([25]), [[25]]);
  });

  it('may have no bytes, and be none', () => {
    assert.deepEqual(groups([0, 0]), [[0, 0]]);
    assert.deepEqual(groups([]), []);
  });
});
