// What one command has read and changed so far: one object per inode, in
// however many roles the command meets it, and the counters. `save` writes what
// has changed.
import { FileError } from '../../protocol/errors.js';
import type { Attributes } from '../../protocol/services/files.js';
import { assert } from '../../runtime/assert.js';
import type { View } from '../view.js';
import { type Counters, encodeCounters } from './counters.js';
import { attributesOf, encodeInode, type InodeRow } from './inode-row.js';
import { COUNTERS_KEY, inodeKey } from './keys.js';
import type { Tables } from './tables.js';

export class Draft {
  readonly tables: Tables;
  readonly view: View;
  /** When the command was given: the only clock a command knows. */
  readonly timeNs: bigint;
  readonly #inodes = new Map<number, InodeRow>();
  readonly #changed = new Set<InodeRow>();
  readonly #accessed = new Set<InodeRow>();
  #counters: Counters | null = null;

  constructor(tables: Tables, timeNs: bigint) {
    this.tables = tables;
    this.view = tables.view;
    this.timeNs = timeNs;
  }

  /** The inode with this command's changes, also one that is being purged. */
  find(inode: number): InodeRow | undefined {
    let row = this.#inodes.get(inode);
    if (row === undefined) {
      row = this.tables.inode(inode);
      if (row !== undefined) this.#inodes.set(inode, row);
    }
    return row;
  }

  /** Fails with ENOENT when the inode is gone. */
  inode(inode: number): InodeRow {
    const row = this.find(inode);
    if (row === undefined || row.state === 'purging') throw new FileError('ENOENT', `there is no inode ${inode}`);
    return row;
  }

  /** Fails with ENOENT or ENOTDIR. */
  directory(inode: number): InodeRow {
    const row = this.inode(inode);
    if (row.kind !== 'directory') throw new FileError('ENOTDIR', `inode ${inode} is no directory`);
    return row;
  }

  add(row: InodeRow): void {
    this.#inodes.set(row.inode, row);
    this.#changed.add(row);
    this.counters.inodes++;
  }

  /** Removes the inode's row. Its names, blocks and attributes must be gone already. */
  remove(row: InodeRow): void {
    this.#inodes.delete(row.inode);
    this.#changed.delete(row);
    this.#accessed.delete(row);
    this.view.remove(inodeKey(row.inode));
    this.counters.inodes--;
  }

  /** Notes that attributes of the inode change: once per command its change time becomes now, and its revision grows by one. */
  change(row: InodeRow): void {
    if (this.#changed.has(row)) return;
    this.#revise(row);
    // The old time may come from a clock that was ahead. It never goes back, and every change makes it another one.
    row.changeTimeNs = this.timeNs > row.changeTimeNs ? this.timeNs : row.changeTimeNs + 1n;
  }

  /** Notes a change of the content, written at that time; null when the inode's times are later and stay. */
  write(row: InodeRow, writeTimeNs: bigint | null): void {
    this.#revise(row);
    if (writeTimeNs === null) return;
    row.modifyTimeNs = writeTimeNs;
    if (writeTimeNs > row.changeTimeNs) row.changeTimeNs = writeTimeNs;
  }

  /** Notes a read: the access time alone changes, not the revision. */
  access(row: InodeRow): void {
    row.accessTimeNs = this.timeNs;
    this.#accessed.add(row);
  }

  /** Notes a change of a directory's entries. */
  changeContent(row: InodeRow): void {
    row.modifyTimeNs = this.timeNs;
    this.change(row);
  }

  #revise(row: InodeRow): void {
    this.#changed.add(row);
    row.revision++;
  }

  /** The counters, to be changed in place. */
  get counters(): Counters {
    this.#counters ??= this.tables.counters();
    return this.#counters;
  }

  /** The attributes of all inodes that the command has changed and not removed. */
  changedAttributes(): Attributes[] {
    return [...this.#changed].map(attributesOf);
  }

  save(): void {
    for (const row of new Set([...this.#changed, ...this.#accessed]))
      this.view.put(inodeKey(row.inode), encodeInode(row));
    if (this.#counters === null) return;
    const { inodes, blocks, bytes, garbage, missed } = this.#counters;
    assert(Math.min(inodes, blocks, bytes, garbage, missed) >= 0, 'no total is negative');
    this.view.put(COUNTERS_KEY, encodeCounters(this.#counters));
  }
}
