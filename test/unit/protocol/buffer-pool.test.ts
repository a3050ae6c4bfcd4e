import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { BufferPool } from '../../../src/protocol/wire/buffer-pool.js';
import { giveBack, lend } from '../../../src/protocol/wire/lent.js';

const KIB = 1024;

describe('the buffer pool', () => {
  it('hands out the memory of a released buffer again, in any size that fits it', () => {
    const pool = new BufferPool();
    const first = pool.take(100 * KIB);
    pool.release(first);
    const second = pool.take(128 * KIB);
    assert.equal(second.buffer, first.buffer);
    assert.equal(second.length, 128 * KIB);
  });

  it('never hands out memory that is in use', () => {
    const pool = new BufferPool();
    const taken = Array.from({ length: 20 }, () => pool.take(100 * KIB));
    assert.equal(new Set(taken.map(({ buffer }) => buffer)).size, 20);
  });

  it('leaves small buffers to Node, and keeps a bounded amount', () => {
    const pool = new BufferPool();
    const small = pool.take(10);
    assert.equal(small.length, 10);
    pool.release(small);
    const large = Array.from({ length: 12 }, () => pool.take(4096 * KIB));
    for (const buffer of large) pool.release(buffer);
    const again = new Set(Array.from({ length: 12 }, () => pool.take(4096 * KIB).buffer));
    assert.equal(large.filter(({ buffer }) => again.has(buffer)).length, 8, '32 MiB are kept');
  });
});

describe('lent memory', () => {
  it('goes back once, and only what was lent', () => {
    let returned = 0;
    const thing = lend({}, () => returned++);
    giveBack({});
    assert.equal(returned, 0);
    giveBack(thing);
    giveBack(thing);
    assert.equal(returned, 1);
  });
});
