// The index with its meaning: versions by key, and what of each segment is
// alive. Changes are visible at once and gather in memory; `save` brings them
// into the index in one transaction, with the place in the log up to which the
// index is then complete. Only the batch writer, and recovery before it, may
// change anything.
import type { BlockKey } from '../../protocol/services/blocks.js';
import { pageCount } from '../../protocol/values/hash.js';
import { blockName, CHECKPOINT_KEY, versionKey, versionsAfter, versionsOfBlock } from '../format/keys.js';
import { HEADER_BYTES, type Tombstone } from '../format/record.js';
import { decodeRow, encodeRow, isBehind, type Place, rowBytes, type VersionRow } from '../format/version-row.js';
import { type CatalogEntry, type Change, decodeEntries, VersionsCache, withChanges } from './block-versions.js';
import { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from './checkpoint.js';
import type { IndexChange, IndexStore } from './index-store.js';
import { exclusiveBytes } from './live-space.js';
import { NewInodes } from './new-inodes.js';
import { type SegmentUse, SegmentUses } from './segment-uses.js';

/** No block has more versions than this: each is deleted when the next one is committed. */
const MAXIMUM_VERSIONS = 1_000_000;

const NONE: readonly CatalogEntry[] = [];

export class Catalog {
  blocks = 0;
  bytes = 0;
  readonly #uses = new SegmentUses();
  /** By block, then by version: what is not in the index yet. */
  readonly #changes = new Map<string, Map<number, Change>>();
  /** The log is in here up to this place. */
  #reached: Place = { segment: 0, offset: 0 };
  readonly #saved = new VersionsCache();
  readonly #newInodes = new NewInodes();

  readonly #index: IndexStore;

  constructor(index: IndexStore) {
    this.#index = index;
  }

  /** Takes over what an earlier process left in the index; undefined when nothing of it can be used. */
  load(): Checkpoint | undefined {
    const value = this.#index.get(CHECKPOINT_KEY);
    const checkpoint = value === undefined ? undefined : decodeCheckpoint(value);
    if (checkpoint === undefined) return undefined;
    const { segment, offset, blocks, bytes } = checkpoint;
    this.blocks = blocks;
    this.bytes = bytes;
    this.#reached = { segment, offset };
    this.#uses.load(this.#index);
    return checkpoint;
  }

  /** Forgets everything. */
  clear(): void {
    this.#index.clear();
    this.#uses.clear();
    this.#changes.clear();
    this.#saved.clear();
    this.#newInodes.cleared();
    this.#reached = { segment: 0, offset: 0 };
    this.blocks = 0;
    this.bytes = 0;
  }

  get(key: BlockKey): VersionRow | undefined {
    const name = blockName(key.inode, key.index);
    const change = this.#changes.get(name)?.get(key.version);
    if (change !== undefined) return change.row ?? undefined;
    const saved = this.#saved.get(name);
    if (saved !== undefined) return saved.findLast((entry) => entry.key.version === key.version)?.row;
    if (this.#newInodes.has(key.inode, this.#index)) return undefined;
    const value = this.#index.get(versionKey(key));
    return value === undefined ? undefined : decodeRow(value);
  }

  /** All versions of a block, in order. */
  versionsOf(inode: number, index: number): CatalogEntry[] {
    const saved = this.#savedVersions(inode, index);
    const changes = this.#changes.get(blockName(inode, index));
    return changes === undefined ? [...saved] : withChanges(saved, changes);
  }

  /** Versions in key order behind `after`. Saves first, and throws when that fails. */
  list(after: BlockKey | undefined, limit: number): CatalogEntry[] {
    if (this.#changes.size > 0) this.save();
    const { from, to } = versionsAfter(after);
    return decodeEntries(this.#index.range(from, to, limit));
  }

  put(key: BlockKey, row: VersionRow): void {
    if (this.get(key) !== undefined) this.remove(key);
    // Pages in its own record, the last of the log, are shared with no other version; only pages elsewhere may be.
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

  /** Answers whether the version was there. */
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
    this.#uses.addTombstones(segment, tombstones);
  }

  /** Removes the version that the tombstone deletes, unless its record was written after the deletion. */
  apply({ key, last }: Tombstone): void {
    const row = this.get(key);
    if (row !== undefined && !isBehind(row.home, last)) this.remove(key);
  }

  useOf(segment: number): Readonly<SegmentUse> {
    return this.#uses.of(segment);
  }

  /** Blocks with changes that are not in the index yet. */
  get pending(): number {
    return this.#changes.size;
  }

  /** The segment's file is gone. */
  forgetSegment(segment: number): void {
    this.#uses.forget(segment);
  }

  /** Segments that the catalog knows of. */
  segments(): number[] {
    return this.#uses.segments();
  }

  /** Everything before that place in the log is in here now. */
  reach(place: Place): void {
    this.#reached = place;
  }

  /** Segments whose use has changed since the last call. */
  takeChangedUses(): Set<number> {
    return this.#uses.takeChanged();
  }

  /** Brings all changes into the index, all or none. On failure they stay as they are, to be saved later. */
  save(): void {
    const rows: IndexChange[] = [];
    for (const changes of this.#changes.values()) {
      for (const { key, row } of changes.values()) {
        rows.push({ key: versionKey(key), value: row === null ? null : encodeRow(row) });
      }
    }
    this.#uses.pushUnsaved(rows);
    const { blocks, bytes } = this;
    rows.push({ key: CHECKPOINT_KEY, value: encodeCheckpoint({ ...this.#reached, blocks, bytes }) });
    this.#index.write(rows);
    for (const [name, changes] of this.#changes) this.#saved.update(name, changes);
    this.#changes.clear();
    this.#uses.saved();
  }

  /** The block's versions that are in the index, without the changes since. */
  #savedVersions(inode: number, index: number): readonly CatalogEntry[] {
    if (this.#newInodes.has(inode, this.#index)) return NONE;
    const name = blockName(inode, index);
    const saved = this.#saved.get(name);
    if (saved !== undefined) return saved;
    const { from, to } = versionsOfBlock(inode, index);
    const entries = decodeEntries(this.#index.range(from, to, MAXIMUM_VERSIONS));
    this.#saved.keep(name, entries);
    return entries;
  }

  /** The other versions of the block, the one that was put last, which shares most pages, at the end. */
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
    this.#newInodes.used(key.inode);
    const changes = this.#changes.get(name) ?? new Map<number, Change>();
    const before = changes.get(key.version);
    // `put` removes an earlier row of the version first. So without an earlier change, a put finds no row in the index, and a
    // removal finds one.
    const isInIndex = before?.isInIndex ?? row === null;
    if (row === null && !isInIndex) changes.delete(key.version);
    else changes.set(key.version, { key, row, isInIndex });
    if (changes.size === 0) this.#changes.delete(name);
    else this.#changes.set(name, changes);
  }

  /** Adds or takes away the bytes that only this version keeps alive. */
  #account(row: VersionRow, siblings: readonly VersionRow[], sign: 1 | -1, unsharable = 0): void {
    for (const [segment, bytes] of exclusiveBytes(row, siblings, unsharable)) this.#uses.addLive(segment, sign * bytes);
    this.#uses.addLive(row.home.segment, sign * (HEADER_BYTES + rowBytes(row.extents.length, row.length)));
  }
}
