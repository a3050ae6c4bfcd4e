import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { anyOf } from '../../../../tools/curves/jobs.js';

describe('numbers of files that are looked at', () => {
  it('are different ones within the limit', () => {
    const numbers = anyOf(100, 90);
    assert.equal(new Set(numbers).size, 90);
    assert.ok(numbers.every((number) => Number.isInteger(number) && number >= 0 && number < 100));
  });

  it('are all where there are no more than are wanted', () => {
    assert.deepEqual(
      anyOf(5, 90).sort((one, other) => one - other),
      [0, 1, 2, 3, 4],
    );
  });
});
