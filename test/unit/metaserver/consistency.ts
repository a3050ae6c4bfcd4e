// Checks that all tables of a namespace tell the same story: a slow reading of
// every row, which the metaserver itself never needs.
import assert from 'node:assert/strict';
import { decodeCookie, decodeEntry } from '../../../src/namespace/state/entry-rows.js';
import { decodeInode } from '../../../src/namespace/state/inode-row.js';
import {
  garbageKey,
  missedRange,
  nameFromKey,
  numberFromKey,
  textFromKey,
  wholeTable,
} from '../../../src/namespace/state/keys.js';
import { decodeNumbers } from '../../../src/namespace/state/numbers.js';
import type { Tables } from '../../../src/namespace/state/tables.js';

const ALL = Number.POSITIVE_INFINITY;

export function checkConsistency(tables: Tables): void {
  const rowsOfTable = (table: Parameters<typeof wholeTable>[0]) => {
    const { from, to } = wholeTable(table);
    return tables.view.scan(from, to, ALL);
  };
  const inodes = new Map(rowsOfTable('inodes').map(({ value }) => [decodeInode(value).inode, decodeInode(value)]));
  const names = new Map<number, number>();
  const subdirectories = new Map<number, number>();
  const children = new Map<number, number>();
  const add = (map: Map<number, number>, key: number) => map.set(key, (map.get(key) ?? 0) + 1);

  const entries = rowsOfTable('entries');
  for (const { key, value } of entries) {
    const parent = numberFromKey(key, 1);
    const name = nameFromKey(key, 1);
    const entry = decodeEntry(value);
    const row = inodes.get(entry.inode);
    const directory = inodes.get(parent);
    assert.equal(directory?.kind, 'directory', `${name} stands in a directory`);
    assert.equal(row?.kind, entry.kind, `${name} stands for an inode of its kind`);
    assert.ok(entry.cookie >= 3 && entry.cookie < (directory?.nextCookie ?? 0));
    const cookieRow = tables.entriesAfter(parent, entry.cookie - 1, 1)[0];
    assert.deepEqual(cookieRow, { name, inode: entry.inode, kind: entry.kind, cookie: entry.cookie });
    add(names, entry.inode);
    add(children, parent);
    if (entry.kind === 'directory') {
      add(subdirectories, parent);
      assert.equal(row?.parent, parent, `${name} knows its parent`);
    }
  }
  assert.equal(rowsOfTable('cookies').length, entries.length);
  for (const { value } of rowsOfTable('cookies')) decodeCookie(value);
  const links = rowsOfTable('links');
  assert.equal(links.length, entries.length);
  for (const { key } of links) {
    const entry = tables.entry(numberFromKey(key, 9), nameFromKey(key, 2));
    assert.equal(entry?.inode, numberFromKey(key, 1));
  }

  let bytes = 0;
  const allocated = new Map<number, number>();
  const blocks = rowsOfTable('blocks');
  const versions = new Set<number>();
  for (const { key, value } of blocks) {
    const inode = numberFromKey(key, 1);
    const block = tables.block(inode, numberFromKey(key, 9));
    assert.ok(block !== undefined && value.length > 0);
    assert.equal(inodes.get(inode)?.kind, 'file');
    add(children, inode);
    allocated.set(inode, (allocated.get(inode) ?? 0) + block.length);
    bytes += block.length;
    versions.add(block.version);
  }
  const xattrs = new Map<number, number>();
  for (const { key } of rowsOfTable('xattrs')) add(xattrs, numberFromKey(key, 1));
  const orphans = new Set(rowsOfTable('orphans').map(({ key }) => numberFromKey(key, 1)));

  for (const row of inodes.values()) {
    const about = `inode ${row.inode}`;
    assert.equal(row.children, children.get(row.inode) ?? 0, `${about}: children`);
    assert.equal(row.xattrs, xattrs.get(row.inode) ?? 0, `${about}: xattrs`);
    assert.equal(row.allocatedBytes, allocated.get(row.inode) ?? 0, `${about}: allocated`);
    const expected = row.kind === 'directory' ? 2 + (subdirectories.get(row.inode) ?? 0) : (names.get(row.inode) ?? 0);
    assert.equal(row.links, expected, `${about}: links`);
    assert.equal(orphans.has(row.inode), row.links === 0, `${about}: an orphan exactly without names`);
    if (row.state === 'purging') assert.equal(row.links, 0);
  }
  for (const [inode] of [...children, ...xattrs, ...names]) assert.ok(inodes.has(inode));
  for (const inode of orphans) assert.ok(inodes.has(inode));

  const counters = tables.counters();
  const garbage = rowsOfTable('garbage');
  assert.equal(counters.inodes, inodes.size);
  assert.equal(counters.blocks, blocks.length);
  assert.equal(counters.bytes, bytes);
  assert.equal(counters.garbage, garbage.length);
  for (const { key, value } of garbage) {
    assert.ok(key < garbageKey(counters.nextGarbage));
    assert.ok(!versions.has(decodeNumbers(value, 3)[2] ?? 0), 'garbage is named by no block map');
  }
  checkMissed(tables, rowsOfTable('missing'), rowsOfTable('missed').length, counters.missed);
}

function checkMissed(
  tables: Tables,
  servers: readonly { key: string; value: Uint8Array }[],
  rows: number,
  total: number,
): void {
  let sum = 0;
  for (const { key, value } of servers) {
    const { from, to } = missedRange(textFromKey(key));
    const missed = tables.view.scan(from, to, ALL);
    assert.ok(missed.length > 0);
    assert.deepEqual(decodeNumbers(value, 1), [missed.length]);
    for (const row of missed) {
      const block = tables.block(numberFromKey(row.key, from.length), numberFromKey(row.key, from.length + 8));
      assert.deepEqual(decodeNumbers(row.value, 1), [block?.version]);
    }
    sum += missed.length;
  }
  assert.equal(sum, rows);
  assert.equal(sum, total);
}
