// What of each segment is alive, and which deletions it records: what
// compaction chooses segments by.
import { Buffer } from 'node:buffer';
import { allSegments, segmentKey, segmentOfKey } from '../format/keys.js';
import type { Tombstone } from '../format/record.js';
import type { IndexChange, IndexStore } from './index-store.js';

const USE_BYTES = 24;

export interface SegmentUse {
  /** Bytes of pages and record headers that a version refers to. */
  liveBytes: number;
  /** Tombstones that its records hold. */
  tombstones: number;
  /** No record that its tombstones delete lies in an earlier segment than this; infinite without tombstones. */
  oldestDeleted: number;
}

const UNUSED: Readonly<SegmentUse> = { liveBytes: 0, tombstones: 0, oldestDeleted: Number.POSITIVE_INFINITY };

export class SegmentUses {
  readonly #uses = new Map<number, SegmentUse>();
  /** Segments whose use is not in the index yet. */
  readonly #unsaved = new Set<number>();
  /** Segments whose use has changed since `takeChanged`. */
  #changed = new Set<number>();

  load(index: IndexStore): void {
    const { from, to } = allSegments();
    for (const { key, value } of index.range(from, to, Number.MAX_SAFE_INTEGER)) {
      this.#uses.set(segmentOfKey(key), decodeUse(value));
    }
  }

  clear(): void {
    this.#uses.clear();
    this.#unsaved.clear();
    this.#changed.clear();
  }

  of(segment: number): Readonly<SegmentUse> {
    return this.#uses.get(segment) ?? UNUSED;
  }

  segments(): number[] {
    return [...this.#uses.keys()];
  }

  addLive(segment: number, bytes: number): void {
    this.#toChange(segment).liveBytes += bytes;
  }

  addTombstones(segment: number, tombstones: readonly Tombstone[]): void {
    const use = this.#toChange(segment);
    use.tombstones += tombstones.length;
    for (const { firstSegment } of tombstones) use.oldestDeleted = Math.min(use.oldestDeleted, firstSegment);
  }

  forget(segment: number): void {
    this.#uses.delete(segment);
    this.#noteChange(segment);
  }

  /** Segments whose use has changed since the last call. */
  takeChanged(): Set<number> {
    const changed = this.#changed;
    this.#changed = new Set();
    return changed;
  }

  /** What is not in the index yet. */
  pushUnsaved(rows: IndexChange[]): void {
    for (const segment of this.#unsaved) {
      const use = this.#uses.get(segment);
      rows.push({ key: segmentKey(segment), value: use === undefined ? null : encodeUse(use) });
    }
  }

  saved(): void {
    this.#unsaved.clear();
  }

  #toChange(segment: number): SegmentUse {
    this.#noteChange(segment);
    let use = this.#uses.get(segment);
    if (use === undefined) {
      use = { ...UNUSED };
      this.#uses.set(segment, use);
    }
    return use;
  }

  #noteChange(segment: number): void {
    this.#unsaved.add(segment);
    this.#changed.add(segment);
  }
}

function encodeUse({ liveBytes, tombstones, oldestDeleted }: SegmentUse): Buffer {
  const bytes = Buffer.alloc(USE_BYTES);
  bytes.writeDoubleLE(liveBytes, 0);
  bytes.writeDoubleLE(tombstones, 8);
  bytes.writeDoubleLE(oldestDeleted, 16);
  return bytes;
}

/** A shorter row is of an earlier version of nmrfs, which did not keep `oldestDeleted`: its tombstones may concern any segment. */
function decodeUse(bytes: Buffer): SegmentUse {
  const oldestDeleted = bytes.length < USE_BYTES ? 0 : bytes.readDoubleLE(16);
  return { liveBytes: bytes.readDoubleLE(0), tombstones: bytes.readDoubleLE(8), oldestDeleted };
}
