import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'mocha';
import xxhash from 'xxhash-wasm';
import { hashBlock, hashOfPages, hashPage, hashPages, writePageHashes } from '../../../src/protocol/values/hash.js';

const PAGE = 4096;
const KIB = 1024;

const { h64Raw } = await xxhash();

/** Page by page, through the package's own interface. */
function pageHashesOf(data: Uint8Array): Buffer {
  const hashes: Buffer[] = [];
  for (let at = 0; at < data.length; at += PAGE) {
    const hash = Buffer.alloc(8);
    hash.writeBigUInt64LE(h64Raw(data.subarray(at, at + PAGE)));
    hashes.push(hash);
  }
  return Buffer.concat(hashes);
}

describe('hashes', () => {
  it('of pages are those of each page alone, whatever the length and wherever the bytes lie', () => {
    const memory = randomBytes(1024 * KIB + 100);
    const lengths = [0, 1, PAGE - 1, PAGE, PAGE + 1, 100_001, 128 * KIB - 1, 128 * KIB, 128 * KIB + 1, 1024 * KIB];
    for (const length of lengths) {
      for (const start of [0, 1, 96]) {
        const data = memory.subarray(start, start + length);
        const expected = pageHashesOf(data);
        assert.ok(expected.equals(hashPages(data)), `${length} bytes from ${start}`);
        assert.equal(hashBlock(data), h64Raw(expected, BigInt(length)));
        assert.equal(hashBlock(data), hashOfPages(expected, length));
      }
    }
  });

  it('take the place of those of the same pages, and of no others', () => {
    const data = randomBytes(3 * PAGE + 5);
    const hashes = Buffer.alloc(10 * 8, 0xaa);
    writePageHashes(hashes, 4, data);
    assert.ok(hashes.subarray(4 * 8, 8 * 8).equals(pageHashesOf(data)));
    assert.ok(hashes.subarray(0, 4 * 8).equals(Buffer.alloc(4 * 8, 0xaa)));
    assert.ok(hashes.subarray(8 * 8).equals(Buffer.alloc(2 * 8, 0xaa)));
  });

  it('are xxh64, as everybody else computes it', () => {
    assert.equal(hashPage(Buffer.from('abc')), 0x44bc2cf5ad770999n);
    assert.equal(Buffer.from(hashPages(Buffer.from('abc'))).toString('hex'), '990977adf52cbc44');
  });
});
