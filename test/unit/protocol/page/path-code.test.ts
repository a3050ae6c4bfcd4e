// Names of files in addresses of the page come back as they were, whatever bytes they have.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { decodePath, encodePath, nameOf } from '../../../../src/protocol/page/path-code.js';

const byte = fc.integer({ min: 1, max: 255 }).filter((code) => code !== 0x2f);
const name = fc.array(byte, { minLength: 1, maxLength: 20 }).map((codes) => String.fromCharCode(...codes));

describe('paths in addresses of the page', () => {
  it('have any bytes', () => {
    fc.assert(fc.property(fc.array(name), (names) => assert.deepEqual(decodePath(encodePath(names)), names)));
  });

  it('are plain text for an address', () => {
    fc.assert(fc.property(fc.array(name), (names) => assert.match(encodePath(names), /^(\/[A-Za-z0-9._~%-]+)*$/)));
  });

  it('may be typed by people', () => {
    assert.deepEqual(decodePath('/a b/Ω.txt'), ['a b', nameOf('Ω.txt')]);
    assert.deepEqual(decodePath('/'), []);
  });
});
