// How the shell splits a line.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { UnclosedQuote, wordsOf } from '../../../src/cli/catalog/shell-words.js';

describe('a line of the catalog’s shell', () => {
  for (const [line, words] of [
    ['', []],
    ['  get   /a ', ['get', '/a']],
    ['set /a "two words"', ['set', '/a', 'two words']],
    ['set /a \'it "is"\'', ['set', '/a', 'it "is"']],
    ['set /a ""', ['set', '/a', '']],
    ['set /a "a \\"b\\" \\n"', ['set', '/a', 'a "b" \n']],
    ['set /a two\\ words', ['set', '/a', 'two words']],
    ['# a comment', []],
    ['get /a # a comment', ['get', '/a']],
    ['get /a#b', ['get', '/a#b']],
    ['set /a x"y z"', ['set', '/a', 'xy z']],
  ] as const) {
    it(`${line} → ${JSON.stringify(words)}`, () => {
      assert.deepEqual(wordsOf(line), words);
    });
  }

  it('refuses a quote that is not closed', () => {
    assert.throws(() => wordsOf('set /a "x'), UnclosedQuote);
  });
});
