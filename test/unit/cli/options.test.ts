import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { wholeNumber } from '../../../src/cli/commands/options.js';

describe('options that are whole numbers', () => {
  it('lie within their limits, which a refusal names', () => {
    assert.equal(wholeNumber(1, 9)('9'), 9);
    assert.throws(() => wholeNumber(1, 9)('10'), /It must be a whole number from 1 to 9\./);
    for (const text of ['', '-1', '1.5', '1e3', 'x'])
      assert.throws(() => wholeNumber(0, 9)(text), /from 0 to 9\./, text);
  });

  it('may have no upper limit', () => {
    assert.equal(wholeNumber(1)('123456'), 123_456);
    assert.throws(() => wholeNumber(1)('0'), /It must be a whole number from 1 on\./);
    assert.throws(() => wholeNumber(1)('99999999999999999'), /It must be a whole number from 1 on\./);
  });
});
