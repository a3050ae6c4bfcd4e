// Takes dead space back. A closed segment of which less than half is alive is
// emptied: what is alive in it is written again at the end of the log, what it
// says about deletions is said again as long as it matters, and when both are
// durable its file goes. A segment whose sync failed is emptied the same way.
import { ServiceError } from '../../protocol/errors.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { type Clock, sleep, type Timer } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Log } from '../../runtime/log.js';
import type { TombstonesDraft, VersionDraft } from '../format/draft.js';
import { blockName } from '../format/keys.js';
import { decodeTombstones, type Tombstone } from '../format/record.js';
import { refersTo } from '../format/version-row.js';
import type { Catalog } from '../index/catalog.js';
import {
  COMPACTION_LIVE_SHARE,
  COMPACTION_REST_MS,
  COMPACTION_RETRY_MS,
  COMPACTION_STRETCH_BYTES,
  MAXIMUM_LIST_ENTRIES,
  MAXIMUM_TOMBSTONES,
} from '../limits.js';
import { SegmentScanner } from '../log/scanner.js';
import type { SegmentLog } from '../log/segment-log.js';
import type { Segments } from '../log/segments.js';
import type { UnsafeSegments } from '../log/unsafe-segments.js';
import { type PageReader, UnreadableError } from '../reading/page-reader.js';
import { foldVersion } from '../writing/put-plan.js';
import type { Plan, Writer } from '../writing/writer.js';
import { CompactionPace } from './compaction-pace.js';

export interface CompactionParts {
  catalog: Catalog;
  segments: Segments;
  segmentLog: SegmentLog;
  unsafe: UnsafeSegments;
  reader: PageReader;
  writer: Writer;
  clock: Clock;
  log: Log;
  salt: bigint;
}

interface Victim {
  segment: number;
  /** What lies before it stays where it is. */
  fromOffset: number;
  isFailed: boolean;
}

export class Compaction {
  compacted = 0;
  readonly #candidates = new Set<number>();
  readonly #failed: Victim[] = [];
  /** Segments that could not be emptied; left alone until the next start. */
  readonly #stuck = new Set<number>();
  #running: Promise<void> | null = null;
  #closed = false;
  /** Until then nothing is begun. */
  #retry: Timer | undefined;

  readonly #pace: CompactionPace;

  readonly #parts: CompactionParts;

  constructor(parts: CompactionParts) {
    this.#parts = parts;
    this.#pace = new CompactionPace(parts.clock, () => this.#candidates.size);
  }

  /** Somebody wants something of this store: compaction gives way. */
  noteRequest(): void {
    this.#pace.noteRequest();
  }

  /** Their use has changed, or they are new to this process. */
  notice(segments: Iterable<number>): void {
    for (const segment of segments) if (this.#isWorthIt(segment)) this.#candidates.add(segment);
    this.#start();
  }

  /** A put was refused for lack of room: what can be had is needed now. */
  hurry(): void {
    this.#pace.hurry();
  }

  /** A segment's sync failed: what lies behind `syncedOffset` must be written elsewhere to be durable. */
  noticeFailure(segment: number, syncedOffset: number): void {
    this.#failed.push({ segment, fromOffset: syncedOffset, isFailed: true });
    this.#start();
  }

  /** Resolves when nothing is left to compact, or what is left waits for the disk to sync again. */
  async idle(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  /** Stops at the next record; what was moved by then is moved. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#pace.close();
    await this.idle();
    this.#retry?.cancel();
  }

  get #mustWait(): boolean {
    return this.#closed || this.#retry !== undefined;
  }

  #start(): void {
    if (this.#mustWait || (this.#candidates.size === 0 && this.#failed.length === 0)) return;
    this.#running ??= Promise.resolve().then(() => this.#run());
  }

  /** Rejects with a program's fault only. */
  async #run(): Promise<void> {
    while (!this.#mustWait) {
      const victim = this.#next();
      if (victim === undefined) break;
      try {
        await this.#empty(victim);
      } catch (error) {
        rethrowProgramFault(error);
        this.#parts.log.warn('compaction.failed', { segment: victim.segment, ...errorFields(error) });
        this.#putBack(victim);
      }
    }
    this.#running = null;
    this.#pace.calm();
  }

  #putBack(victim: Victim): void {
    if (victim.isFailed) {
      // Nothing else makes durable what it holds, and before that no other segment can go.
      this.#failed.push(victim);
      this.#retry = this.#parts.clock.after(COMPACTION_RETRY_MS, () => {
        this.#retry = undefined;
        this.#start();
      });
    } else if (this.#failed.length > 0) {
      // Its turn comes when they have been written anew.
      this.#candidates.add(victim.segment);
    } else {
      this.#stuck.add(victim.segment);
    }
  }

  #next(): Victim | undefined {
    const failed = this.#failed.shift();
    if (failed !== undefined) return failed;
    // The oldest: what a segment says about deletions is mostly about those before it.
    let oldest = Number.POSITIVE_INFINITY;
    for (const segment of this.#candidates) {
      if (!this.#isWorthIt(segment)) this.#candidates.delete(segment);
      else oldest = Math.min(oldest, segment);
    }
    this.#candidates.delete(oldest);
    return Number.isFinite(oldest) ? { segment: oldest, fromOffset: 0, isFailed: false } : undefined;
  }

  #isWorthIt(segment: number): boolean {
    const { segments, segmentLog, catalog } = this.#parts;
    if (!segments.has(segment) || segment >= segmentLog.lastNumber || this.#stuck.has(segment)) return false;
    return catalog.useOf(segment).liveBytes < segments.sizeOf(segment) * COMPACTION_LIVE_SHARE;
  }

  async #empty(victim: Victim): Promise<void> {
    const { catalog, segmentLog, segments, unsafe, clock, log } = this.#parts;
    const { segment } = victim;
    const startMs = clock.monotonicMs();
    this.#pace.begin(victim.isFailed);
    const sizeBytes = segments.sizeOf(segment);
    const use = catalog.useOf(segment);
    if (this.#mustBeRead(victim)) {
      await this.#moveRecords(victim);
      // Damage may hide from the walk through the file what the index still knows.
      if (!this.#closed && (victim.isFailed || catalog.useOf(segment).liveBytes > 0))
        await this.#moveWhatIsLeft(victim);
    }
    if (this.#closed) return;
    // What took the place of everything in the victim must be there after a power cut.
    if (victim.isFailed) {
      await segmentLog.syncActive();
      // The index may still point into what goes now.
      catalog.save();
      await segments.use(segment, async (file) => {
        await file.truncate(victim.fromOffset);
        segments.setSize(segment, victim.fromOffset);
        await file.sync();
      });
      await unsafe.remove(segment);
    } else {
      await segmentLog.flush();
      catalog.forgetSegment(segment);
      catalog.save();
      await segments.remove(segment);
    }
    this.compacted++;
    const durationMs = Math.round(clock.monotonicMs() - startMs);
    log.info('compaction.done', { segment, sizeBytes, liveBytes: use.liveBytes, durationMs });
    // To remove a segment is work too, also an unread one.
    await this.#pace.restIfDue(0);
  }

  async #moveRecords(victim: Victim): Promise<void> {
    const { segments, salt } = this.#parts;
    const { segment, fromOffset } = victim;
    let tombstones: Tombstone[] = [];
    // Once a block has left, nothing new of it comes to lie here: one look per block is enough.
    const left = new Set<string>();
    await segments.use(segment, async (file) => {
      const scanner = new SegmentScanner(file, segment, segments.sizeOf(segment), salt, fromOffset);
      for await (const record of scanner.records()) {
        if (this.#closed) return;
        if (record.kind === 'version') {
          const { inode, index } = record.key;
          const name = blockName(inode, index);
          if (!left.has(name)) await this.#moveBlock(inode, index, victim);
          left.add(name);
        } else {
          tombstones.push(...decodeTombstones(record.meta).filter((tombstone) => this.#matters(tombstone, victim)));
          if (tombstones.length >= MAXIMUM_TOMBSTONES) {
            await this.#carry(tombstones.slice(0, MAXIMUM_TOMBSTONES));
            tombstones = tombstones.slice(MAXIMUM_TOMBSTONES);
          }
        }
        await this.#pace.restIfDue(record.metaBytes);
      }
    });
    if (tombstones.length > 0 && !this.#closed) await this.#carry(tombstones);
  }

  /** Through the whole index: slow, and only needed where a header is damaged. */
  async #moveWhatIsLeft(victim: Victim): Promise<void> {
    const { catalog } = this.#parts;
    let after: { inode: number; index: number; version: number } | undefined;
    for (;;) {
      const entries = catalog.list(after, MAXIMUM_LIST_ENTRIES);
      for (const { key, row } of entries) {
        if (this.#closed) return;
        if (refersTo(row, victim.segment, victim.fromOffset)) await this.#moveBlock(key.inode, key.index, victim);
      }
      after = entries.at(-1)?.key;
      if (after === undefined) return;
      await sleep(this.#parts.clock, COMPACTION_REST_MS);
    }
  }

  /** Moves every version of the block that has anything in the victim, one at a time. */
  async #moveBlock(inode: number, index: number, victim: Victim): Promise<void> {
    const mightRefer = () =>
      this.#parts.catalog.versionsOf(inode, index).some(({ row }) => refersTo(row, victim.segment, victim.fromOffset));
    while (!this.#closed && mightRefer()) {
      const movedBytes = await this.#submit([blockName(inode, index)], () => this.#planMove(inode, index, victim));
      await this.#pace.restIfDue(movedBytes);
    }
  }

  async #planMove(inode: number, index: number, victim: Victim): Promise<{ plan: Plan; bytes: number }> {
    const { catalog, reader, log } = this.#parts;
    const found = catalog.versionsOf(inode, index).find(({ row }) => refersTo(row, victim.segment, victim.fromOffset));
    // Deleted since somebody looked.
    if (found === undefined) return { plan: { drafts: [], removals: [], done() {} }, bytes: 0 };
    try {
      const draft: VersionDraft = await foldVersion(reader, found.key, found.row);
      return { plan: { drafts: [draft], removals: [], done() {} }, bytes: found.row.length };
    } catch (error) {
      // In a segment that the disk would not sync, what can't be read back was never durable: it is as if it had not come.
      if (!victim.isFailed || !(error instanceof UnreadableError)) throw error;
      log.error('segment.version_lost', { ...found.key, reason: error.message });
      return { plan: { drafts: [], removals: [found.key], done() {} }, bytes: 0 };
    }
  }

  /** Whether anything in it may have to be written again: a segment that is dead through and through goes unread. */
  #mustBeRead({ segment, isFailed }: Victim): boolean {
    const { liveBytes, oldestDeleted } = this.#parts.catalog.useOf(segment);
    if (isFailed || liveBytes > 0) return true;
    // A tombstone stands behind all records that it is about.
    for (const other of this.#parts.segments.numbers()) if (other >= oldestDeleted && other < segment) return true;
    return false;
  }

  /** Whether there may still be a record that would come back to life without it. */
  #matters({ firstSegment, last }: Tombstone, victim: Victim): boolean {
    const { segments } = this.#parts;
    for (let segment = firstSegment; segment <= last.segment; segment++) {
      if (segments.has(segment) && (victim.isFailed || segment !== victim.segment)) return true;
    }
    return false;
  }

  async #carry(tombstones: readonly Tombstone[]): Promise<void> {
    const draft: TombstonesDraft = { kind: 'tombstones', tombstones };
    await this.#submit([], async () => ({ plan: { drafts: [draft], removals: [], done() {} }, bytes: 0 }));
  }

  /** Hands a move to the writer; answers the bytes that its plan said. */
  #submit(blocks: readonly string[], makePlan: () => Promise<{ plan: Plan; bytes: number }>): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#parts.writer.submit({
        kind: 'move',
        durable: false,
        blocks,
        bytes: COMPACTION_STRETCH_BYTES,
        async plan() {
          const { plan, bytes } = await makePlan();
          return { ...plan, done: () => resolve(bytes) };
        },
        failed: reject,
        full: () => reject(new ServiceError('FAILED', 'no room on the disk')),
      });
    });
  }
}
