// Keys and the sorted set: their order is what listings and walks stand on.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { SortedKeys } from '../../../src/metaserver/engine/sorted-keys.js';
import { decodeInode, encodeInode, type InodeRow } from '../../../src/namespace/state/inode-row.js';
import {
  blockKey,
  missedKey,
  missedRange,
  numberFromKey,
  numberToKey,
  rowsOf,
  serverKey,
  textFromKey,
} from '../../../src/namespace/state/keys.js';

const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

describe('keys', () => {
  it('order numbers as numbers, and read back', () => {
    fc.assert(
      fc.property(whole, whole, (a, b) => {
        assert.equal(numberFromKey(numberToKey(a), 0), a);
        assert.equal(numberToKey(a).length, 8);
        assert.equal(compare(numberToKey(a), numberToKey(b)), Math.sign(a - b));
      }),
    );
  });

  it("keep an owner's rows together and apart from all others", () => {
    const inode = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER - 1 });
    fc.assert(
      fc.property(inode, inode, whole, (owner, other, index) => {
        const { from, to } = rowsOf('blocks', owner);
        const key = blockKey(other, index);
        assert.equal(key >= from && key < to, owner === other);
      }),
    );
  });

  it("keep a server's rows apart from those of one whose name begins alike", () => {
    for (const [one, other] of [
      ['data1', 'data10'],
      ['data', 'data\u00ff'],
      ['ü', 'üü'],
    ] as const) {
      const { from, to } = missedRange(one);
      for (const inode of [1, 255, 2 ** 40, Number.MAX_SAFE_INTEGER - 1]) {
        const own = missedKey(one, inode, 3);
        const foreign = missedKey(other, inode, 3);
        assert.ok(own >= from && own < to);
        assert.ok(foreign < from || foreign >= to);
      }
    }
  });

  it('carry text of any script', () => {
    for (const name of ['data1', 'Datenträger', '数据']) assert.equal(textFromKey(serverKey(name)), name);
  });
});

describe('rows', () => {
  const row: InodeRow = {
    inode: Number.MAX_SAFE_INTEGER,
    kind: 'block',
    mode: 0o7777,
    links: 65_000,
    uid: 2 ** 32 - 1,
    gid: 2 ** 32 - 1,
    sizeBytes: 2 ** 52,
    allocatedBytes: 2 ** 52 - 1,
    accessTimeNs: -(2n ** 63n),
    modifyTimeNs: 2n ** 63n - 1n,
    changeTimeNs: -1n,
    device: Number.MAX_SAFE_INTEGER,
    blockSizeBytes: 2 ** 30,
    revision: 2 ** 53 - 1,
    state: 'purging',
    parent: 2 ** 40,
    children: 2 ** 41,
    nextCookie: 2 ** 42,
    xattrs: 3,
    target: '\u0001\u00ff/x',
  };

  it('hold an inode with the largest numbers exactly', () => {
    assert.deepEqual(decodeInode(encodeInode(row)), row);
    const longAgo = { ...row, accessTimeNs: -(2n ** 63n) - 1n, modifyTimeNs: -(2n ** 63n) * 1_000_000_000n };
    assert.deepEqual(decodeInode(encodeInode(longAgo)), longAgo);
    const farAhead = { ...row, accessTimeNs: 2n ** 63n, modifyTimeNs: 2n ** 63n * 1_000_000_000n - 1n };
    assert.deepEqual(decodeInode(encodeInode(farAhead)), farAhead);
  });

  it('of before have times within 64 bits, and zeros behind', () => {
    assert.ok(
      encodeInode(row)
        .subarray(116, 130)
        .every((byte) => byte === 0),
    );
  });

  it('that are damaged are refused rather than misread', () => {
    assert.throws(() => decodeInode(Buffer.alloc(10)), /row has 10 bytes/);
    assert.throws(() => decodeInode(Buffer.alloc(130, 99)), /kind of file that does not exist/);
  });
});

describe('a sorted set of keys', () => {
  it('equals a sorted list of what was added and not removed', () => {
    const key = fc.string({ maxLength: 3, unit: fc.constantFrom('a', 'b', 'c', '\0', '\u00ff') });
    const keys = fc.array(key, { maxLength: 60 });
    fc.assert(
      fc.property(keys, keys, keys, key, key, (atOnce, added, removed, from, to) => {
        const set = new SortedKeys();
        set.addAll(atOnce);
        set.addAll(added);
        for (const one of removed) set.remove(one);
        const expected = [...new Set([...atOnce, ...added])].filter((one) => !removed.includes(one)).sort(compare);
        assert.deepEqual([...set.range('', '\u00ff\u00ff\u00ff\u00ff')], expected);
        assert.deepEqual(
          [...set.range(from, to)],
          expected.filter((one) => one >= from && one < to),
        );
      }),
    );
  });

  it('stays in order through many thousands of keys', () => {
    const set = new SortedKeys();
    const keys = Array.from({ length: 20_000 }, (_, n) => numberToKey((n * 7919) % 20_011));
    set.addAll(keys.slice(0, 1000));
    set.addAll(keys.slice(1000));
    assert.deepEqual([...set.range('', '\u00ff')], [...keys].sort(compare));
    for (const key of keys.slice(0, 19_000)) set.remove(key);
    assert.deepEqual([...set.range('', '\u00ff')], keys.slice(19_000).sort(compare));
  });
});
