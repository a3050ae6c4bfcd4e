import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { LockTable } from '../../../src/protocol/services/lock-table.js';
import type { FileLock, LockType } from '../../../src/protocol/services/sessions.js';

const END = 0x7fff_ffff_ffff_ffffn;

function lock(
  owner: number,
  type: LockType,
  start: number,
  end: number | null,
  more: Partial<FileLock> = {},
): FileLock {
  const range = { start: BigInt(start), end: end === null ? END : BigInt(end) };
  return { inode: 1, kind: 'posix', owner: BigInt(owner), type, pid: 100 + owner, ...range, ...more };
}

function ranges(table: LockTable, client: string): string[] {
  return table
    .heldBy(client)
    .map(({ owner, type, start, end }) => `${owner} ${type} ${start}-${end}`)
    .sort();
}

describe('the table of locks', () => {
  it('lets readers share and writers not, across clients', () => {
    const table = new LockTable();
    assert.equal(table.set('a', lock(1, 'read', 0, 9)), 'granted');
    assert.equal(table.set('b', lock(1, 'read', 5, 20)), 'granted');
    assert.equal(table.set('b', lock(1, 'write', 0, 4)), 'conflict');
    assert.equal(table.set('b', lock(1, 'write', 10, 20)), 'granted');
    assert.equal(table.conflict('a', lock(1, 'write', 15, 15))?.pid, 0, 'a process elsewhere has no number here');
    assert.equal(table.conflict('b', lock(2, 'write', 15, 15))?.pid, 101);
    assert.equal(table.conflict('a', lock(9, 'write', 21, null)), null);
  });

  it('tells of the first lock in the way, by where it begins and not by when it was set', () => {
    const table = new LockTable();
    table.set('a', lock(1, 'write', 10, 19));
    table.set('b', lock(1, 'write', 5, 6));
    table.set('a', lock(1, 'read', 1, 3));
    table.unset('a', lock(1, 'write', 12, 13));
    const first = (from: number, type: LockType = 'write') => {
      const found = table.conflict('c', lock(3, type, from, null));
      return found === null ? null : `${found.type} ${found.start}-${found.end}`;
    };
    assert.deepEqual(
      [first(0), first(0, 'read'), first(7), first(12), first(20)],
      ['read 1-3', 'write 5-6', 'write 10-11', 'write 14-19', null],
    );
  });

  it('splits, replaces and joins the ranges of one owner', () => {
    const table = new LockTable();
    table.set('a', lock(1, 'write', 0, 99));
    table.unset('a', lock(1, 'write', 40, 59));
    assert.deepEqual(ranges(table, 'a'), ['1 write 0-39', '1 write 60-99']);
    table.set('a', lock(1, 'read', 30, 69));
    assert.deepEqual(ranges(table, 'a'), ['1 read 30-69', '1 write 0-29', '1 write 70-99']);
    table.set('a', lock(1, 'write', 30, 69));
    assert.deepEqual(ranges(table, 'a'), ['1 write 0-99']);
  });

  it('keeps flock and fcntl locks apart', () => {
    const table = new LockTable();
    assert.equal(table.set('a', lock(1, 'write', 0, null)), 'granted');
    assert.equal(table.set('b', lock(1, 'write', 0, null, { kind: 'flock' })), 'granted');
    assert.equal(table.set('a', lock(2, 'read', 0, null, { kind: 'flock' })), 'conflict');
  });

  it('serves those who wait, in the order of asking, as far as they get on with each other', () => {
    const table = new LockTable();
    const served: string[] = [];
    table.set('a', lock(1, 'write', 0, 9));
    table.wait('b', lock(1, 'read', 0, 9), () => served.push('b'));
    table.wait('c', lock(1, 'read', 5, 9), () => served.push('c'));
    const { cancel } = table.wait('d', lock(1, 'write', 0, 0), () => served.push('d'));
    table.wait('e', lock(1, 'write', 0, 9), () => served.push('e'));
    table.set('a', lock(1, 'read', 0, 9));
    assert.deepEqual(served, ['b', 'c'], 'a writer that becomes a reader lets readers in');
    cancel();
    table.drop('a');
    table.drop('b');
    assert.deepEqual(served, ['b', 'c']);
    table.drop('c');
    assert.deepEqual(served, ['b', 'c', 'e']);
  });

  it('refuses a wait that would never end', () => {
    const table = new LockTable();
    table.set('a', lock(1, 'write', 0, 0));
    table.set('b', lock(2, 'write', 1, 1));
    table.set('c', lock(3, 'write', 2, 2));
    const never = () => assert.fail('nobody gives way');
    assert.equal(table.wait('a', lock(1, 'write', 1, 1), never).outcome, 'conflict');
    assert.equal(table.wait('b', lock(2, 'write', 2, 2), never).outcome, 'conflict');
    assert.equal(table.wait('c', lock(3, 'write', 0, 0), never).outcome, 'deadlock');
    assert.equal(table.wait('d', lock(4, 'write', 0, 2), never).outcome, 'conflict', 'nobody waits for it');
  });

  it('agrees with a table of single bytes', () => {
    const BYTES = 12;
    const step = fc.record({
      client: fc.constantFrom('a', 'b'),
      owner: fc.integer({ min: 1, max: 2 }),
      action: fc.constantFrom('read', 'write', 'unset', 'replace') as fc.Arbitrary<LockType | 'unset' | 'replace'>,
      start: fc.integer({ min: 0, max: BYTES - 1 }),
      length: fc.integer({ min: 1, max: BYTES }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const table = new LockTable();
        const bytes = Array.from({ length: BYTES }, () => new Map<string, LockType>());
        for (const { client, owner, action, start, length } of steps) {
          const covered = bytes.slice(start, start + length);
          const who = `${client}/${owner}`;
          const type = action === 'write' ? 'write' : 'read';
          const range = lock(owner, type, start, Math.min(BYTES, start + length) - 1);
          if (action === 'unset' || action === 'replace') for (const byte of covered) byte.delete(who);
          if (action === 'unset') table.unset(client, range);
          else if (action === 'replace') {
            // By a read lock on the first byte alone.
            const first = lock(owner, 'read', start, start);
            const isFree = [...(covered[0] ?? [])].every(([, other]) => other === 'read');
            assert.deepEqual(table.replace(client, range, [first]), isFree ? [] : [first]);
            if (isFree) covered[0]?.set(who, 'read');
          } else {
            const isFree = covered.every((byte) =>
              [...byte].every(([other, type]) => other === who || (type === 'read' && action === 'read')),
            );
            assert.equal(table.set(client, range), isFree ? 'granted' : 'conflict');
            if (isFree) for (const byte of covered) byte.set(who, action);
          }
        }
        for (const [place, byte] of bytes.entries()) {
          for (const client of ['a', 'b']) {
            for (const owner of [1, 2]) {
              const found = table.heldBy(client, lock(owner, 'read', place, place));
              assert.deepEqual(found.map(({ type }) => type).join(), byte.get(`${client}/${owner}`) ?? '');
            }
          }
        }
      }),
    );
  });
});
