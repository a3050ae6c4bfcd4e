// What people see of names that nobody would have given a file.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { shownName } from '../../../src/page/parts/names.js';
import { nameOf } from '../../../src/protocol/page/path-code.js';

describe('names of files as people see them', () => {
  const CASES: Record<string, [name: string, shown: string]> = {
    'text is text': [nameOf('grüße, 世界 🙂'), 'grüße, 世界 🙂'],
    'markup is text': ['<b>&amp;', '<b>&amp;'],
    'bytes that are no UTF-8': ['\xff\xfe ok \xc3', '\\xff\\xfe ok \\xc3'],
    'halves of surrogate pairs, in UTF-8': ['\xed\xa0\x80', '\\xed\\xa0\\x80'],
    'overlong forms': ['\xc0\xaf', '\\xc0\\xaf'],
    'control characters': ['a\x1b[31m\n', 'a\\x1b[31m\\x0a'],
    'characters that turn the direction': [nameOf('\u202egnp.exe'), '\\u{202e}gnp.exe'],
  };
  for (const [what, [name, shown]] of Object.entries(CASES)) {
    it(what, () => assert.equal(shownName(name), shown));
  }

  it('of all text are that text, but for what could mislead', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        fc.pre(/^[\p{L}\p{N}\p{P}\p{S} ]*$/u.test(text));
        assert.equal(shownName(nameOf(text)), text);
      }),
    );
  });
});
