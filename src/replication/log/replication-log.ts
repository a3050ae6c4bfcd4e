// The log of a member on its disk: entries, and what a member must not forget besides. It consists of segments of a fixed size.
// The next segment is always ready, with its full size, so that an append waits for one sync of the data, and fits on a disk that
// is full. An entry replaces what was stored at its index and behind it by being stored later: nothing is overwritten.
import { Buffer } from 'node:buffer';
import { assert } from '../../runtime/assert.js';
import { asError } from '../../runtime/caught-errors.js';
import { Pacer } from '../../runtime/pacer.js';
import type { Runtime } from '../../runtime/runtime.js';
import { BLANK_HARD_STATE, type Entry, type HardState, type Mark, type StoredState } from '../core/core.js';
import type { MemberId, Members } from '../core/members.js';
import { FrameParts, type LogRecord } from './frame.js';
import { PlacedEntries } from './placed-entries.js';
import { type Recovered, recoverLog } from './recovery.js';
import { FRAMES_START, openSegment, type Segment } from './segment.js';
import { SegmentSupply } from './segment-supply.js';

export interface LogSettings {
  /** A log of another member does not count. */
  readonly owner: MemberId;
  /** Of a segment. */
  readonly segmentBytes: number;
  /** Of entries that are kept in memory, the newest. */
  readonly cacheBytes: number;
}

export class ReplicationLog {
  #hardState: HardState = BLANK_HARD_STATE;
  #damagedUpTo = 0;
  /** In order; the last one is written. */
  #segments: { segment: Segment; mark: Mark }[] = [];
  #nextFrame = 1;
  /** The last frame that counts. */
  #lastFrame = 0;
  #failure: Error | null = null;
  /** Until the first change after a start: what it stores again, and whether it replaces the log. */
  #beginning: { tail: readonly Entry[]; isReset: boolean } | null = null;
  readonly #pacer: Pacer;

  readonly #entries: PlacedEntries;
  readonly #supply: SegmentSupply;
  readonly #directory: string;
  readonly #settings: LogSettings;
  readonly #runtime: Runtime;

  private constructor(mark: Mark, directory: string, settings: LogSettings, runtime: Runtime) {
    this.#entries = new PlacedEntries(mark, settings.cacheBytes);
    this.#supply = new SegmentSupply(directory, settings.segmentBytes, runtime);
    this.#directory = directory;
    this.#settings = settings;
    this.#runtime = runtime;
    this.#pacer = new Pacer(runtime.clock);
  }

  /**
   * Reads the log in `directory`, which exists. Nothing is written before the first change, so a log opens on any disk.
   * @param state what the state stands for: the log of a member that has lost it begins there
   */
  static async open(directory: string, state: Mark, settings: LogSettings, runtime: Runtime): Promise<ReplicationLog> {
    const recovered = await recoverLog(directory, settings.owner, state.index, runtime.disk);
    const { mark, entries } = recovered;
    // It may end before the state, when it was lost, begin behind it, when its beginning was, or part from it, when the state
    // was written without it.
    const isUsable = mark !== null && termAt(mark, entries, state.index) === state.term;
    const log = new ReplicationLog(isUsable ? mark : state, directory, settings, runtime);
    try {
      await log.#takeOver(recovered, isUsable);
      return log;
    } catch (error) {
      await log.close();
      throw error;
    }
  }

  /** What a core starts with. The data of entries may be missing: a core does not look at them. */
  get stored(): StoredState {
    const { shapes: entries, shape } = this.#entries;
    return { hardState: this.#hardState, mark: shape.mark, entries, damagedUpTo: this.#damagedUpTo };
  }

  /** The last index that this member may have acknowledged and has lost since; 0 for a whole log. */
  get damagedUpTo(): number {
    return this.#damagedUpTo;
  }

  get lastIndex(): number {
    return this.#entries.shape.lastIndex;
  }

  /** As of the last entry. */
  get members(): Members {
    return this.#entries.shape.members;
  }

  get mark(): Mark {
    return this.#entries.shape.mark;
  }

  /** Of all files that hold entries. */
  get bytes(): number {
    return this.#segments.reduce((sum, { segment }) => sum + segment.end, 0);
  }

  /**
   * Stores together; durable when it resolves. The entries can be read at once. Not to be called while another call runs. After a
   * rejection nobody knows what is stored, and the log must be closed and opened anew.
   */
  async append(hardState: HardState | null, entries: readonly Entry[]): Promise<void> {
    const records = asRecords(entries);
    if (hardState !== null) records.unshift({ kind: 'hardState', hardState });
    await this.#write(() => this.#append(records, entries));
    this.#hardState = hardState ?? this.#hardState;
  }

  /** A state was installed: it replaces the whole log. */
  async reset(mark: Mark, hardState: HardState | null): Promise<void> {
    const before = this.#segments.map(({ segment }) => segment);
    this.#entries.reset(mark);
    this.#hardState = hardState ?? this.#hardState;
    this.#damagedUpTo = 0;
    this.#beginning = null;
    await this.#write(() => this.#switch(0, true));
    this.#segments = this.#segments.slice(-1);
    for (const segment of before) await this.#supply.release(segment);
  }

  /** Everything that this member may have acknowledged is there again. */
  async heal(): Promise<void> {
    if (this.#damagedUpTo === 0) return;
    this.#damagedUpTo = 0;
    await this.#write(() => (this.#beginning === null ? this.#switch(0, false) : this.#begin()));
  }

  /** Entries up to `index`, all committed, are not needed any more. @returns the index behind which the log begins now */
  async compact(index: number): Promise<number> {
    const gone = this.#segments.slice(0, this.#firstNeeded(index)).map(({ segment }) => segment);
    if (gone.length === 0) return this.#entries.shape.mark.index;
    this.#segments = this.#segments.slice(gone.length);
    this.#entries.compact(this.#segments[0]?.mark.index ?? 0);
    for (const segment of gone) await this.#supply.release(segment);
    return this.#entries.shape.mark.index;
  }

  /** The place of the last segment that the log may begin with: see recovery.ts. */
  #firstNeeded(index: number): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (let place = this.#segments.length - 1; place > 0; place--) {
      const one = this.#segments[place];
      if (one === undefined) continue;
      lowest = Math.min(lowest, one.segment.lowestIndex);
      if (one.mark.index <= index && one.mark.index < lowest) return place;
    }
    return 0;
  }

  /** Whether the log has the entry, in memory or on the disk. */
  has(index: number): boolean {
    return index > this.#entries.shape.mark.index && index <= this.#entries.shape.lastIndex;
  }

  /** An entry that is in memory; undefined for others. */
  cached(index: number): Entry | undefined {
    return this.#entries.cached(index);
  }

  /** Entries, from the disk where need be. Rejects when they can't be read, or have changed meanwhile. */
  read(first: number, last: number): Promise<Entry[]> {
    return this.#entries.read(first, last);
  }

  async close(): Promise<void> {
    for (const { segment } of this.#segments) await segment.close();
    this.#segments = [];
    await this.#supply.close();
  }

  /** Nothing is written after a failure. */
  async #write(action: () => Promise<void>): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    try {
      await action();
    } catch (error) {
      this.#failure = asError(error);
      throw error;
    }
  }

  async #append(records: readonly LogRecord[], entries: readonly Entry[]): Promise<void> {
    if (this.#beginning !== null) await this.#begin();
    const parts = new FrameParts(records);
    if (!this.#current.hasRoom(parts.bytes)) await this.#switch(parts.bytes, false);
    const segment = this.#current;
    const number = this.#nextFrame++;
    const frame = parts.encode(number, segment.header.salt);
    const position = segment.end;
    for (const entry of entries) this.#entries.put(entry, { segment, position, bytes: frame.length });
    await segment.append(frame, this.#pacer);
    this.#lastFrame = number;
  }

  get #current(): Segment {
    const last = this.#segments.at(-1);
    assert(last !== undefined, 'an open log has a segment to write');
    return last.segment;
  }

  /** Begins to write after a start. What was stored last may never have reached the disk: it is stored again. */
  async #begin(): Promise<void> {
    const { tail, isReset } = this.#beginning ?? { tail: [], isReset: false };
    await this.#switch(
      0,
      isReset,
      tail.filter(({ index }) => index > this.#entries.shape.mark.index),
    );
    this.#beginning = null;
  }

  /**
   * Goes on in the next segment, which has room for a frame of so many bytes.
   * @param again entries at the end of the log that the segment begins with
   */
  async #switch(frameBytes: number, isReset: boolean, again: readonly Entry[] = []): Promise<void> {
    const before = (again[0]?.index ?? this.#entries.shape.lastIndex + 1) - 1;
    const mark: Mark = {
      index: before,
      term: this.#entries.shape.termAt(before) ?? 0,
      members: this.#entries.shape.membersAt(before),
    };
    const begin = {
      owner: this.#settings.owner,
      hardState: this.#hardState,
      damagedUpTo: this.#damagedUpTo,
      mark,
      previousFrame: this.#lastFrame,
      isReset,
    };
    const records: LogRecord[] = [{ kind: 'begin', begin }, ...asRecords(again)];
    // Twice: a log without its beginning has forgotten for whom it voted.
    const number = this.#nextFrame;
    this.#nextFrame += 2;
    const parts = new FrameParts(records);
    const segment = await this.#supply.take(FRAMES_START + 2 * parts.bytes + frameBytes);
    const { salt } = segment.header;
    const both = [number, number + 1].map((each) => parts.encode(each, salt));
    const position = segment.end;
    for (const entry of again) this.#entries.put(entry, { segment, position, bytes: parts.bytes });
    this.#segments.push({ segment, mark });
    await segment.append(Buffer.concat(both), this.#pacer);
    this.#lastFrame = number + 1;
    this.#supply.prepareNext();
  }

  /** Whatever is there is read only; what comes is written to a new segment. */
  async #takeOver(recovered: Recovered, isUsable: boolean): Promise<void> {
    const { disk, log } = this.#runtime;
    this.#supply.found(recovered.free, recovered.highestSegment);
    // A state of a term shows that there was that term.
    const isOlder = recovered.hardState.term < this.#entries.shape.mark.term;
    this.#hardState = isOlder ? { term: this.#entries.shape.mark.term, vote: null } : recovered.hardState;
    this.#damagedUpTo = recovered.damagedUpTo;
    this.#nextFrame = recovered.highestFrame + 1;
    // What the last append has stored is stored again: whether it is still there does not matter.
    this.#lastFrame = recovered.durableFrame;
    const segments = new Map<string, Segment>();
    for (const found of recovered.segments) {
      const segment = await openSegment(this.#directory, found, disk);
      segments.set(found.name, segment);
      this.#segments.push({ segment, mark: found.mark });
    }
    for (const { entry, segment, position, bytes } of recovered.entries) {
      if (!isUsable) {
        this.#damagedUpTo = Math.max(this.#damagedUpTo, entry.index);
        continue;
      }
      const from = segments.get(segment);
      assert(from !== undefined, 'entries are found in segments that are found');
      this.#entries.put(entry, { segment: from, position, bytes });
    }
    if (this.#damagedUpTo <= this.#entries.shape.mark.index) this.#damagedUpTo = 0;
    if (this.#damagedUpTo > 0) {
      const fields = { directory: this.#directory, lastIndex: this.lastIndex, damagedUpTo: this.#damagedUpTo };
      log.error('replication.log_damaged', fields);
    }
    this.#beginning = { tail: isUsable ? recovered.tail : [], isReset: !isUsable || recovered.endsWithReset };
  }
}

function asRecords(entries: readonly Entry[]): LogRecord[] {
  return entries.map((entry) => ({ kind: 'entry', entry }));
}

function termAt(mark: Mark, entries: Recovered['entries'], index: number): number | undefined {
  return index === mark.index ? mark.term : entries[index - mark.index - 1]?.entry.term;
}
