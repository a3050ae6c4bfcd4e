// The index with its meaning: versions by key, what of each segment is alive,
// and how far into the log all of it is true. Changes are seen at once and
// gather in memory; `save` brings them into the index, in one step with the
// place in the log that they reach to. Only the writer (and recovery before
// it) changes anything.
import { Buffer } from 'node:buffer';
import type { BlockKey } from '../../protocol/services/blocks.js';
import { pageCount } from '../../protocol/values/hash.js';
import {
  allSegments,
  blockName,
  CHECKPOINT_KEY,
  keyOfVersion,
  segmentKey,
  segmentOfKey,
  versionKey,
  versionsAfter,
  versionsOfBlock,
} from '../format/keys.js';
import { HEADER_BYTES, type Tombstone } from '../format/record.js';
import { decodeRow, encodeRow, type Place, rowBytes, type VersionRow } from '../format/version-row.js';
import type { IndexChange, IndexRow, IndexStore } from './index-store.js';
import { exclusiveBytes } from './live-space.js';

const FORMAT = 1;
const USE_BYTES = 24;
/** More versions of one block than this can't be: each is deleted when the next is committed. */
const MAXIMUM_SIBLINGS = 1_000_000;
/** Blocks whose versions stay at hand: those written just now are written again, and their old versions deleted, soon. */
const MAXIMUM_RECENT_BLOCKS = 256;

export interface SegmentUse {
  /** Bytes of pages and record headers that a version refers to. */
  liveBytes: number;
  tombstones: number;
  /** No record of what they say is deleted lies in an earlier segment than this; infinite without tombstones. */
  oldestDeleted: number;
}

const UNUSED: Readonly<SegmentUse> = { liveBytes: 0, tombstones: 0, oldestDeleted: Number.POSITIVE_INFINITY };

export interface Checkpoint {
  format: number;
  /** All records before this place are in the index. */
  segment: number;
  offset: number;
  blocks: number;
  bytes: number;
}

export interface CatalogEntry {
  key: BlockKey;
  row: VersionRow;
}

interface Change {
  key: BlockKey;
  row: VersionRow | null;
  /** The index may hold a row of that key. */
  isInIndex: boolean;
}

export class Catalog {
  blocks = 0;
  bytes = 0;
  readonly #uses = new Map<number, SegmentUse>();
  /** By block, then by version: what is not in the index yet. */
  readonly #changes = new Map<string, Map<number, Change>>();
  /** Segments whose use is not in the index yet, and those of which nobody has been told. */
  readonly #changedUses = new Set<number>();
  #touched = new Set<number>();
  /** How far into the log the changes reach. */
  #reached: Place = { segment: 0, offset: 0 };
  /** All versions in the index of some blocks, in order; the least recently used block first. */
  readonly #recent = new Map<string, readonly CatalogEntry[]>();

  readonly #index: IndexStore;

  constructor(index: IndexStore) {
    this.#index = index;
  }

  /** What a former life of this index left; undefined when it left nothing that can be used. */
  load(): Checkpoint | undefined {
    const value = this.#index.get(CHECKPOINT_KEY);
    if (value === undefined) return undefined;
    const checkpoint = parseCheckpoint(value);
    if (checkpoint === undefined) return undefined;
    this.blocks = checkpoint.blocks;
    this.bytes = checkpoint.bytes;
    this.#reached = { segment: checkpoint.segment, offset: checkpoint.offset };
    const { from, to } = allSegments();
    for (const { key, value: use } of this.#index.range(from, to, Number.MAX_SAFE_INTEGER)) {
      this.#uses.set(segmentOfKey(key), decodeUse(use));
    }
    return checkpoint;
  }

  /** Forgets everything. */
  clear(): void {
    this.#index.clear();
    this.#uses.clear();
    this.#changes.clear();
    this.#changedUses.clear();
    this.#touched.clear();
    this.#recent.clear();
    this.#reached = { segment: 0, offset: 0 };
    this.blocks = 0;
    this.bytes = 0;
  }

  get(key: BlockKey): VersionRow | undefined {
    const name = blockName(key.inode, key.index);
    const change = this.#changes.get(name)?.get(key.version);
    if (change !== undefined) return change.row ?? undefined;
    const recent = this.#recent.get(name);
    if (recent !== undefined) return recent.findLast((entry) => entry.key.version === key.version)?.row;
    const value = this.#index.get(versionKey(key));
    return value === undefined ? undefined : decodeRow(value);
  }

  /** All versions of a block, in order. */
  versionsOf(inode: number, index: number): CatalogEntry[] {
    const saved = this.#savedVersions(inode, index);
    const changes = this.#changes.get(blockName(inode, index));
    if (changes === undefined) return [...saved];
    const kept = saved.filter(({ key }) => !changes.has(key.version));
    for (const { key, row } of changes.values()) if (row !== null) kept.push({ key, row });
    return inOrder(kept);
  }

  /** Versions in key order behind `after`. Saves, and fails when that does. */
  list(after: BlockKey | undefined, limit: number): CatalogEntry[] {
    if (this.#changes.size > 0) this.save();
    const { from, to } = versionsAfter(after);
    return decodeEntries(this.#index.range(from, to, limit));
  }

  put(key: BlockKey, row: VersionRow): void {
    if (this.get(key) !== undefined) this.remove(key);
    // What is in its own record, the last of the log, it shares with nobody; with the rest elsewhere, siblings are to be asked.
    let ownPages = 0;
    for (const { place, pageCount: pages } of row.extents) {
      if (place.segment === row.home.segment && isBehind(place, row.home)) ownPages += pages;
    }
    const isAlone = ownPages === pageCount(row.length);
    this.#account(row, isAlone ? [] : this.#siblings(key), 1, ownPages);
    this.#change(key, row);
    this.blocks++;
    this.bytes += row.length;
  }

  /** Whether it was there. */
  remove(key: BlockKey): boolean {
    const row = this.get(key);
    if (row === undefined) return false;
    this.#account(row, this.#siblings(key), -1);
    this.#change(key, null);
    this.blocks--;
    this.bytes -= row.length;
    return true;
  }

  /** A record of tombstones was written to the segment, or read there. */
  addTombstones(segment: number, tombstones: readonly Tombstone[]): void {
    const use = this.#useOf(segment);
    use.tombstones += tombstones.length;
    for (const { firstSegment } of tombstones) use.oldestDeleted = Math.min(use.oldestDeleted, firstSegment);
    this.#noteUse(segment);
  }

  /** Kills what the tombstone means: the same version put again later has a later home and stays. */
  apply({ key, last }: Tombstone): void {
    const row = this.get(key);
    if (row !== undefined && !isBehind(row.home, last)) this.remove(key);
  }

  useOf(segment: number): Readonly<SegmentUse> {
    return this.#uses.get(segment) ?? UNUSED;
  }

  /** Blocks with changes that are not in the index yet. */
  get pending(): number {
    return this.#changes.size;
  }

  /** The segment's file is gone. */
  forgetSegment(segment: number): void {
    this.#uses.delete(segment);
    this.#noteUse(segment);
  }

  /** Segments that the catalog knows of. */
  segments(): number[] {
    return [...this.#uses.keys()];
  }

  /** Everything before that place in the log is in here now. */
  reach(place: Place): void {
    this.#reached = place;
  }

  /** Segments whose use has changed since they were asked for. */
  takeTouched(): Set<number> {
    const touched = this.#touched;
    this.#touched = new Set();
    return touched;
  }

  /** Brings all changes into the index, all or none. On failure they stay as they are, to be saved later. */
  save(): void {
    const rows: IndexChange[] = [];
    for (const changes of this.#changes.values()) {
      for (const { key, row } of changes.values()) {
        rows.push({ key: versionKey(key), value: row === null ? null : encodeRow(row) });
      }
    }
    for (const segment of this.#changedUses) {
      const use = this.#uses.get(segment);
      rows.push({ key: segmentKey(segment), value: use === undefined ? null : encodeUse(use) });
    }
    const { blocks, bytes } = this;
    const checkpoint: Checkpoint = { format: FORMAT, ...this.#reached, blocks, bytes };
    rows.push({ key: CHECKPOINT_KEY, value: Buffer.from(JSON.stringify(checkpoint)) });
    this.#index.write(rows);
    for (const [name, changes] of this.#changes) this.#updateRecent(name, changes);
    this.#changes.clear();
    this.#changedUses.clear();
  }

  #savedVersions(inode: number, index: number): readonly CatalogEntry[] {
    const name = blockName(inode, index);
    const { from, to } = versionsOfBlock(inode, index);
    const entries = this.#recent.get(name) ?? decodeEntries(this.#index.range(from, to, MAXIMUM_SIBLINGS));
    this.#recent.delete(name);
    this.#recent.set(name, entries);
    const [oldest] = this.#recent.keys();
    if (this.#recent.size > MAXIMUM_RECENT_BLOCKS && oldest !== undefined) this.#recent.delete(oldest);
    return entries;
  }

  #updateRecent(name: string, changes: ReadonlyMap<number, Change>): void {
    const before = this.#recent.get(name);
    if (before === undefined) return;
    const after = before.filter(({ key }) => !changes.has(key.version));
    for (const { key, row } of changes.values()) if (row !== null) after.push({ key, row });
    this.#recent.set(name, inOrder(after));
  }

  /** The other versions of its block: what came last, which shares most, at the end. */
  #siblings({ inode, index, version }: BlockKey): VersionRow[] {
    const rows: VersionRow[] = [];
    const changes = this.#changes.get(blockName(inode, index));
    for (const { key, row } of this.#savedVersions(inode, index)) {
      if (key.version !== version && changes?.has(key.version) !== true) rows.push(row);
    }
    if (changes === undefined) return rows;
    for (const { key, row } of changes.values()) if (row !== null && key.version !== version) rows.push(row);
    return rows;
  }

  #change(key: BlockKey, row: VersionRow | null): void {
    const name = blockName(key.inode, key.index);
    const changes = this.#changes.get(name) ?? new Map<number, Change>();
    const before = changes.get(key.version);
    // Whoever puts a version has removed the one before: what was not there a moment ago is not in the index either.
    const isInIndex = before?.isInIndex ?? row === null;
    if (row === null && !isInIndex) changes.delete(key.version);
    else changes.set(key.version, { key, row, isInIndex });
    if (changes.size === 0) this.#changes.delete(name);
    else this.#changes.set(name, changes);
  }

  /** Adds or takes away what only this version keeps alive. */
  #account(row: VersionRow, siblings: readonly VersionRow[], sign: 1 | -1, unsharable = 0): void {
    for (const [segment, bytes] of exclusiveBytes(row, siblings, unsharable)) this.#addLive(segment, sign * bytes);
    this.#addLive(row.home.segment, sign * (HEADER_BYTES + rowBytes(row.extents.length, row.length)));
  }

  #addLive(segment: number, bytes: number): void {
    this.#useOf(segment).liveBytes += bytes;
    this.#noteUse(segment);
  }

  #noteUse(segment: number): void {
    this.#changedUses.add(segment);
    this.#touched.add(segment);
  }

  #useOf(segment: number): SegmentUse {
    let use = this.#uses.get(segment);
    if (use === undefined) {
      use = { ...UNUSED };
      this.#uses.set(segment, use);
    }
    return use;
  }
}

/** Whether `place` lies behind `other` in the log. */
export function isBehind(place: Place, other: Place): boolean {
  return place.segment > other.segment || (place.segment === other.segment && place.offset > other.offset);
}

/** The same entries by version; mostly they are, since what is put last is the newest. */
function inOrder(entries: CatalogEntry[]): CatalogEntry[] {
  let last = Number.NEGATIVE_INFINITY;
  for (const { key } of entries) {
    if (key.version < last) return entries.sort((one, other) => one.key.version - other.key.version);
    last = key.version;
  }
  return entries;
}

function decodeEntries(rows: readonly IndexRow[]): CatalogEntry[] {
  const entries: CatalogEntry[] = [];
  for (const { key, value } of rows) {
    const row = decodeRow(value);
    if (row !== undefined) entries.push({ key: keyOfVersion(key), row });
  }
  return entries;
}

function encodeUse({ liveBytes, tombstones, oldestDeleted }: SegmentUse): Buffer {
  const bytes = Buffer.alloc(USE_BYTES);
  bytes.writeDoubleLE(liveBytes, 0);
  bytes.writeDoubleLE(tombstones, 8);
  bytes.writeDoubleLE(oldestDeleted, 16);
  return bytes;
}

/** Of an earlier version, which did not know what its tombstones are about: they may be about anything. */
function decodeUse(bytes: Buffer): SegmentUse {
  const oldestDeleted = bytes.length < USE_BYTES ? 0 : bytes.readDoubleLE(16);
  return { liveBytes: bytes.readDoubleLE(0), tombstones: bytes.readDoubleLE(8), oldestDeleted };
}

function parseCheckpoint(value: Buffer): Checkpoint | undefined {
  let parsed: Partial<Checkpoint> | null;
  try {
    parsed = JSON.parse(value.toString());
  } catch {
    // Of another format, or damaged: as good as missing.
    return undefined;
  }
  const numbers = [parsed?.segment, parsed?.offset, parsed?.blocks, parsed?.bytes];
  if (parsed === null || parsed.format !== FORMAT || !numbers.every(Number.isSafeInteger)) return undefined;
  return parsed as Checkpoint;
}
