import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { isUnbroken } from '../../../src/protocol/values/verifier.js';

describe('a verifier', () => {
  const first = { mediator: 'm/0', history: 'h' };
  const cases: [words: string, second: typeof first, expected: boolean][] = [
    ['is unbroken by itself', { mediator: 'm/0', history: 'h' }, true],
    [
      'is unbroken where the mediator has lost nothing by a crash of the metaserver',
      { mediator: 'm/0', history: 'i' },
      true,
    ],
    ['is unbroken where another mediator finds the same metaserver', { mediator: 'n/0', history: 'h' }, true],
    ['is broken where both are others', { mediator: 'n/0', history: 'i' }, false],
    ['is broken where the mediator has lost something', { mediator: 'm/1', history: 'i' }, false],
  ];
  for (const [words, second, expected] of cases) {
    it(words, () => assert.equal(isUnbroken(first, second), expected));
  }
});
