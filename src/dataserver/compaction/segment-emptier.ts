// Empties a segment: versions that have pages in it are written again at the
// end of the log, and so are its tombstones while a record that they delete
// remains. When all that is durable, the file is removed, or cut where its last
// good sync ended.
import { ServiceError } from '../../protocol/errors.js';
import type { BlockKey } from '../../protocol/services/blocks.js';
import { assert } from '../../runtime/assert.js';
import { type Clock, sleep } from '../../runtime/clock.js';
import type { Log } from '../../runtime/log.js';
import { blockName } from '../format/keys.js';
import { decodeTombstones, type Tombstone } from '../format/record.js';
import type { UnplacedRecord } from '../format/unplaced-record.js';
import { refersTo } from '../format/version-row.js';
import type { CatalogEntry } from '../index/block-versions.js';
import type { Catalog } from '../index/catalog.js';
import {
  COMPACTION_MOVED_BLOCKS,
  COMPACTION_MOVED_BYTES,
  COMPACTION_READ_ATTEMPTS,
  COMPACTION_REST_MS,
  COMPACTION_STRETCH_BYTES,
  MAXIMUM_LIST_ENTRIES,
  MAXIMUM_TOMBSTONES,
} from '../limits.js';
import { SegmentScanner } from '../log/scanner.js';
import type { SegmentLog } from '../log/segment-log.js';
import type { Segments } from '../log/segments.js';
import type { UnsafeSegments } from '../log/unsafe-segments.js';
import { type PageReader, UnreadableError } from '../reading/page-reader.js';
import type { BatchWriter } from '../writing/batch-writer.js';
import { foldVersion } from '../writing/put-plan.js';
import type { CompactionPace } from './compaction-pace.js';

export interface SegmentEmptierParts {
  catalog: Catalog;
  segments: Segments;
  segmentLog: SegmentLog;
  unsafe: UnsafeSegments;
  reader: PageReader;
  writer: BatchWriter;
  clock: Clock;
  log: Log;
  /** Of the store's records. */
  salt: bigint;
}

export interface Victim {
  segment: number;
  /** What lies before it stays where it is. */
  fromOffset: number;
  /** A sync of it failed: its file is cut at `fromOffset`, not removed. */
  isFailed: boolean;
  /** How often its emptying was given up since the disk did not read. */
  failedReads: number;
}

type Block = Pick<BlockKey, 'inode' | 'index'>;

/** What is written in place of something in the victim. */
interface Move {
  records: UnplacedRecord[];
  removals: BlockKey[];
  /** Bytes of the versions that it copies. */
  bytes: number;
}

export class SegmentEmptier {
  #isStopped = false;
  /** Blocks that are to be moved together, by name: a write for each would cost more than to copy it. */
  #waiting = new Map<string, Block>();

  readonly #parts: SegmentEmptierParts;
  readonly #pace: CompactionPace;

  constructor(parts: SegmentEmptierParts, pace: CompactionPace) {
    this.#parts = parts;
    this.#pace = pace;
  }

  /** What is under way ends at the next record; what was moved by then is moved. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Answers false when it was stopped before the segment was empty. */
  async empty(victim: Victim): Promise<boolean> {
    const { catalog, segmentLog, segments, unsafe } = this.#parts;
    const { segment, fromOffset, isFailed } = victim;
    this.#waiting.clear();
    assert(isFailed || segment < segmentLog.lastNumber, 'the active segment is never removed');
    // An append may have been under way when the sync failed; later ones go to another segment.
    if (isFailed) await this.#submit([], async () => ({ records: [], removals: [], bytes: 0 }));
    if (this.#mustBeRead(victim)) {
      await this.#moveRecords(victim);
      // Where a header is damaged, the scan misses a record that the index still knows.
      if (!this.#isStopped && (isFailed || catalog.useOf(segment).liveBytes > 0)) await this.#moveWhatIsLeft(victim);
    }
    if (this.#isStopped) return false;
    // All copies must be durable before the originals go.
    if (isFailed) {
      await segmentLog.letGo(segment);
      await segmentLog.flushBehind(segment);
      // The saved index may still point into the part that is cut off.
      catalog.save();
      await segments.use(segment, async (file) => {
        await file.truncate(fromOffset);
        segments.setSize(segment, fromOffset);
        await file.sync();
      });
      await unsafe.remove(segment);
    } else {
      await segmentLog.flush();
      catalog.forgetSegment(segment);
      catalog.save();
      await segments.remove(segment);
    }
    return true;
  }

  /** Whether anything in the segment may have to be written again. A segment that is wholly dead goes unread. */
  #mustBeRead({ segment, isFailed }: Victim): boolean {
    const { liveBytes, oldestDeleted } = this.#parts.catalog.useOf(segment);
    if (isFailed || liveBytes > 0) return true;
    // Its tombstones stay needed while a segment exists that may hold what they delete: one between the oldest and this one.
    for (const other of this.#parts.segments.numbers()) if (other >= oldestDeleted && other < segment) return true;
    return false;
  }

  async #moveRecords(victim: Victim): Promise<void> {
    const { segments, salt } = this.#parts;
    const { segment, fromOffset } = victim;
    let tombstones: Tombstone[] = [];
    // Nothing new is written to the segment: a block that was moved out needs no second look.
    const seen = new Set<string>();
    await segments.use(segment, async (file) => {
      const scanner = new SegmentScanner(file, segment, segments.sizeOf(segment), salt, fromOffset);
      for await (const record of scanner.records()) {
        if (this.#isStopped) return;
        if (record.kind === 'version') {
          const name = blockName(record.key.inode, record.key.index);
          if (!seen.has(name)) await this.#moveSoon(record.key, victim);
          seen.add(name);
        } else {
          tombstones.push(...decodeTombstones(record.meta).filter((tombstone) => this.#isNeeded(tombstone, victim)));
          if (tombstones.length >= MAXIMUM_TOMBSTONES) {
            await this.#moveTombstones(tombstones.slice(0, MAXIMUM_TOMBSTONES));
            tombstones = tombstones.slice(MAXIMUM_TOMBSTONES);
          }
        }
        await this.#pace.restIfDue(record.metaBytes);
      }
    });
    await this.#moveWaiting(victim);
    if (tombstones.length > 0 && !this.#isStopped) await this.#moveTombstones(tombstones);
  }

  /** Walks the whole index, which is slow: needed only where a header is damaged. */
  async #moveWhatIsLeft(victim: Victim): Promise<void> {
    const { catalog } = this.#parts;
    let after: BlockKey | undefined;
    for (;;) {
      const entries = catalog.list(after, MAXIMUM_LIST_ENTRIES);
      for (const { key, row } of entries) {
        if (this.#isStopped) return;
        if (refersTo(row, victim.segment, victim.fromOffset)) await this.#moveSoon(key, victim);
      }
      after = entries.at(-1)?.key;
      if (after === undefined) break;
      await sleep(this.#parts.clock, COMPACTION_REST_MS);
    }
    await this.#moveWaiting(victim);
  }

  /** Moves the block together with the next ones, if anything of it is in the victim. `moveWaiting` moves the last of them. */
  async #moveSoon({ inode, index }: Block, victim: Victim): Promise<void> {
    const found = this.#versionIn({ inode, index }, victim);
    if (found === undefined) return;
    this.#waiting.set(blockName(inode, index), { inode, index });
    if (this.#waiting.size >= COMPACTION_MOVED_BLOCKS) await this.#moveWaiting(victim);
  }

  /** Moves every version of the waiting blocks that has anything in the victim: of each block one at a time. */
  async #moveWaiting(victim: Victim): Promise<void> {
    const blocks = this.#waiting;
    this.#waiting = new Map();
    while (!this.#isStopped && blocks.size > 0) {
      const movedBytes = await this.#submit([...blocks.keys()], () => this.#planMoves([...blocks.values()], victim));
      await this.#pace.restIfDue(movedBytes);
      for (const [name, block] of blocks) if (this.#versionIn(block, victim) === undefined) blocks.delete(name);
    }
  }

  /** The first version of the block that has anything in the victim. */
  #versionIn({ inode, index }: Block, victim: Victim): CatalogEntry | undefined {
    const versions = this.#parts.catalog.versionsOf(inode, index);
    return versions.find(({ row }) => refersTo(row, victim.segment, victim.fromOffset));
  }

  /** One version of each block, as many as may be written together. What is left comes with the next write. */
  async #planMoves(blocks: readonly Block[], victim: Victim): Promise<Move> {
    const versions: CatalogEntry[] = [];
    let bytes = 0;
    for (const block of blocks) {
      const version = this.#versionIn(block, victim);
      // It was deleted while it waited.
      if (version === undefined) continue;
      bytes += version.row.length;
      if (versions.length > 0 && bytes > COMPACTION_MOVED_BYTES) break;
      versions.push(version);
    }
    const moves = await Promise.all(versions.map((version) => this.#planMove(version, victim))).catch(
      (error: unknown) => {
        victim.failedReads++;
        throw error;
      },
    );
    return {
      records: moves.flatMap(({ records }) => records),
      removals: moves.flatMap(({ removals }) => removals),
      bytes: moves.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  }

  async #planMove({ key, row }: CatalogEntry, victim: Victim): Promise<Move> {
    const { reader, log } = this.#parts;
    try {
      const record = await foldVersion(reader, key, row);
      return { records: [record], removals: [], bytes: row.length };
    } catch (error) {
      if (!victim.isFailed || !(error instanceof UnreadableError)) throw error;
      // A disk may fail to read for a moment; what was never written is not there, however often it is tried.
      if (!error.isMissing && victim.failedReads + 1 < COMPACTION_READ_ATTEMPTS) throw error;
      // Behind a failed sync, what can't be read was never durable: the version counts as never stored.
      log.error('segment.version_lost', { ...key, reason: error.message });
      return { records: [], removals: [key], bytes: 0 };
    }
  }

  /** Whether a record that the tombstone deletes may still exist, and would come back to life without it. */
  #isNeeded({ firstSegment, last }: Tombstone, victim: Victim): boolean {
    const { segments } = this.#parts;
    for (let segment = firstSegment; segment <= last.segment; segment++) {
      if (segments.has(segment) && (victim.isFailed || segment !== victim.segment)) return true;
    }
    return false;
  }

  async #moveTombstones(tombstones: readonly Tombstone[]): Promise<void> {
    await this.#submit([], async () => ({ records: [{ kind: 'tombstones', tombstones }], removals: [], bytes: 0 }));
  }

  /** Hands a move to the batch writer; answers the bytes that it copied. */
  #submit(blocks: readonly string[], planMove: () => Promise<Move>): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#parts.writer.submit({
        kind: 'move',
        durable: false,
        blocks,
        bytes: COMPACTION_STRETCH_BYTES,
        async plan() {
          const { records, removals, bytes } = await planMove();
          return { records, removals, done: () => resolve(bytes) };
        },
        failed: reject,
        full: () => reject(new ServiceError('FAILED', 'no room on the disk')),
      });
    });
  }
}
