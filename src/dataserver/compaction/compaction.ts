// Takes dead space back: chooses which segments are emptied, and when. A closed
// segment of which less than half is alive is worth it; one whose sync failed
// must be emptied before any flush can succeed again, and comes first.
import { errorFields } from '../../runtime/caught-errors.js';
import type { Timer } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import { COMPACTION_LIVE_SHARE, COMPACTION_RETRY_MS } from '../limits.js';
import { CompactionPace } from './compaction-pace.js';
import { SegmentEmptier, type SegmentEmptierParts, type Victim } from './segment-emptier.js';

export class Compaction {
  /** Segments that were emptied since the start. */
  compacted = 0;
  readonly #candidates = new Set<number>();
  readonly #failed: Victim[] = [];
  /** Segments that could not be emptied; left alone until the next start. */
  readonly #stuck = new Set<number>();
  #running: Promise<void> | null = null;
  #closed = false;
  /** Set after a failed segment could not be emptied; nothing is begun until it fires. */
  #retry: Timer | undefined;

  readonly #pace: CompactionPace;
  readonly #emptier: SegmentEmptier;
  readonly #parts: SegmentEmptierParts;

  constructor(parts: SegmentEmptierParts) {
    this.#parts = parts;
    this.#pace = new CompactionPace(parts.clock, () => this.#candidates.size);
    this.#emptier = new SegmentEmptier(parts, this.#pace);
  }

  /** A request has come: compaction gives way. */
  noteRequest(): void {
    this.#pace.noteRequest();
  }

  /** The use of these segments has changed, or they are new to this process. */
  notice(segments: Iterable<number>): void {
    for (const segment of segments) if (this.#isWorthIt(segment)) this.#candidates.add(segment);
    this.#start();
  }

  /** A put was refused for lack of room: compaction goes on without long rests. */
  hurry(): void {
    this.#pace.hurry();
  }

  /** A segment's sync failed: what lies behind `syncedOffset` must be written elsewhere to be durable. */
  noticeFailure(segment: number, syncedOffset: number): void {
    this.#failed.push({ segment, fromOffset: syncedOffset, isFailed: true, failedReads: 0 });
    this.#start();
  }

  /** Resolves when nothing is left to compact, or what is left waits for its retry. */
  async idle(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  /** Stops at the next record; what was moved by then is moved. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#emptier.stop();
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

  async #empty(victim: Victim): Promise<void> {
    const { catalog, segments, clock, log } = this.#parts;
    const { segment } = victim;
    const startMs = clock.monotonicMs();
    this.#pace.begin(victim.isFailed);
    const sizeBytes = segments.sizeOf(segment);
    const { liveBytes } = catalog.useOf(segment);
    if (!(await this.#emptier.empty(victim))) return;
    this.compacted++;
    const durationMs = Math.round(clock.monotonicMs() - startMs);
    log.info('compaction.done', { segment, sizeBytes, liveBytes, durationMs });
    // Removing a segment is work too, even one that went unread.
    await this.#pace.restIfDue(0);
  }

  #putBack(victim: Victim): void {
    if (victim.isFailed) {
      // No flush succeeds before it is emptied, so no other segment can be removed meanwhile: everything waits.
      this.#failed.push(victim);
      this.#retry = this.#parts.clock.after(COMPACTION_RETRY_MS, () => {
        this.#retry = undefined;
        this.#start();
      });
    } else if (this.#failed.length > 0) {
      // It may have failed only because the failed ones are not emptied yet.
      this.#candidates.add(victim.segment);
    } else {
      this.#stuck.add(victim.segment);
    }
  }

  #next(): Victim | undefined {
    // The last: the others may have been moved to it.
    this.#failed.sort((one, other) => one.segment - other.segment);
    const failed = this.#failed.pop();
    if (failed !== undefined) return failed;
    // The oldest: the tombstones of a segment mostly concern segments before it, and go when those are gone.
    let oldest = Number.POSITIVE_INFINITY;
    for (const segment of this.#candidates) {
      if (!this.#isWorthIt(segment)) this.#candidates.delete(segment);
      else oldest = Math.min(oldest, segment);
    }
    this.#candidates.delete(oldest);
    return Number.isFinite(oldest) ? { segment: oldest, fromOffset: 0, isFailed: false, failedReads: 0 } : undefined;
  }

  #isWorthIt(segment: number): boolean {
    const { segments, segmentLog, catalog } = this.#parts;
    if (!segments.has(segment) || segment >= segmentLog.lastNumber || this.#stuck.has(segment)) return false;
    return catalog.useOf(segment).liveBytes < segments.sizeOf(segment) * COMPACTION_LIVE_SHARE;
  }
}
