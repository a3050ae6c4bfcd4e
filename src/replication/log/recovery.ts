// What the files of a log say. A frame at the end that is not whole was never acknowledged, and does not count. Where a whole frame
// lies behind one that is not, acknowledged entries are lost: the log ends before them, and says how far it once went.
import { Buffer } from 'node:buffer';
import { join } from 'node:path';
import type { Disk } from '../../runtime/disk.js';
import { BLANK_HARD_STATE, type Entry, type HardState, type Mark } from '../core/core.js';
import type { MemberId } from '../core/members.js';
import { type Begin, type Frame, laterFrames, leadingFrames } from './frame.js';
import { decodeHeader, type FoundSegment, FRAMES_START, type SegmentHeader } from './segment.js';

const NAME = /^segment-(\d+)$/;

/** An entry, and the frame it lies in. */
export interface FoundEntry {
  readonly entry: Entry;
  readonly segment: string;
  readonly position: number;
  readonly bytes: number;
}

export interface Recovered {
  readonly hardState: HardState;
  /** null for a log that was never begun. */
  readonly mark: Mark | null;
  readonly entries: readonly FoundEntry[];
  readonly damagedUpTo: number;
  /** What the last append has stored: it may be in the system's cache only. */
  readonly tail: readonly Entry[];
  /** Whether the last append has replaced the log. */
  readonly endsWithReset: boolean;
  /** The last frame that was on the disk before the last append. */
  readonly durableFrame: number;
  /** The highest number that any frame has, and any segment or file; those that don't count included. */
  readonly highestFrame: number;
  readonly highestSegment: number;
  /** Those with entries or a beginning, in order. */
  readonly segments: readonly FoundSegment[];
  /** Files that hold nothing that counts. */
  readonly free: readonly string[];
}

interface Scanned {
  readonly name: string;
  readonly header: SegmentHeader;
  readonly sizeBytes: number;
  readonly begin: Begin;
  readonly frames: readonly Frame[];
  /** Whole frames behind a place where none is. */
  readonly later: readonly Frame[];
}

/**
 * Reads all files of the log in `directory`. Those of another owner do not count.
 * @param stateIndex the entry up to which nothing needs to be there, since the state has it
 */
export async function recoverLog(
  directory: string,
  owner: MemberId,
  stateIndex: number,
  disk: Disk,
): Promise<Recovered> {
  const names = (await disk.list(directory)).filter((name) => NAME.test(name)).sort();
  const scanned: Scanned[] = [];
  const free: string[] = [];
  for (const name of names) {
    const found = scan(name, Buffer.from((await disk.readFile(join(directory, name))) ?? []));
    if (found?.begin.owner !== owner) free.push(name);
    else scanned.push(found);
  }
  scanned.sort((one, other) => one.header.number - other.header.number);
  const counting = withoutStoredAgain(scanned);
  const needed = counting.slice(firstNeeded(counting, stateIndex));
  for (const { name } of scanned) if (!needed.some((segment) => segment.name === name)) free.push(name);
  const replay = new Replay();
  for (const segment of needed) replay.add(segment);
  const highestFrame = Math.max(0, ...scanned.flatMap(allFrames).map(({ number }) => number));
  // A file that is used again keeps its name.
  const ofNames = names.map((name) => Number(NAME.exec(name)?.[1] ?? 0));
  const highestSegment = Math.max(scanned.at(-1)?.header.number ?? 0, ...ofNames);
  return { ...replay.result(), highestFrame, highestSegment, free };
}

function allFrames({ frames, later }: Scanned): Frame[] {
  return [...frames, ...later];
}

/** A start stores again what the last append before it has stored: that frame, if it is there, does not count any more. */
function withoutStoredAgain(segments: readonly Scanned[]): Scanned[] {
  let limit = Number.POSITIVE_INFINITY;
  const counting: Scanned[] = [];
  for (const segment of segments.toReversed()) {
    const counts = ({ number }: Frame) => number <= limit;
    const frames = segment.frames.filter(counts);
    if (frames.length > 0) counting.unshift({ ...segment, frames, later: segment.later.filter(counts) });
    limit = Math.min(limit, segment.begin.previousFrame);
  }
  return counting;
}

/**
 * The place of the first segment that counts. All that a state lacks is behind the last beginning that the state has reached;
 * of what is before, some may be gone, and the rest is there for members that lag behind.
 */
function firstNeeded(segments: readonly Scanned[], stateIndex: number): number {
  let first: number | undefined;
  let lowest = Number.POSITIVE_INFINITY;
  for (const [place, segment] of [...segments.entries()].reverse()) {
    const { isReset, mark, previousFrame } = segment.begin;
    if (isReset) return place;
    lowest = Math.min(lowest, ...indexesIn(segment));
    // Not with one whose mark was replaced later.
    if ((first !== undefined || mark.index <= stateIndex) && mark.index < lowest) first = place;
    if (first !== undefined && segments[place - 1]?.frames.at(-1)?.number !== previousFrame) break;
  }
  return first ?? 0;
}

function indexesIn(segment: Scanned): number[] {
  return allFrames(segment).flatMap((frame) => entriesOf(frame).map(({ index }) => index));
}

function entriesOf({ records }: Frame): Entry[] {
  return records.flatMap((record) => (record.kind === 'entry' ? [record.entry] : []));
}

/** undefined for a file that was never begun. */
function scan(name: string, content: Buffer): Scanned | undefined {
  const header = decodeHeader(content);
  if (header === undefined) return undefined;
  const { salt } = header;
  let frames = leadingFrames(content, FRAMES_START, salt);
  let later = laterFrames(content, frames.at(-1)?.end ?? FRAMES_START, salt);
  const [second] = later;
  if (frames.length === 0 && second !== undefined) {
    // The first of the two beginnings is damaged.
    frames = leadingFrames(content, second.start, salt);
    later = later.slice(frames.length);
  }
  const first = frames[0]?.records[0];
  if (first === undefined) return undefined;
  if (first.kind !== 'begin') throw new Error(`${name} has lost both its beginnings`);
  return { name, header, sizeBytes: content.length, begin: first.begin, frames, later };
}

class Replay {
  #hardState: HardState = BLANK_HARD_STATE;
  #mark: Mark | null = null;
  #entries: FoundEntry[] = [];
  #damagedUpTo = 0;
  #tail: readonly Entry[] = [];
  #endsWithReset = false;
  #lastFrame = 0;
  #durableFrame = 0;
  #segments: FoundSegment[] = [];
  /** Entries are missing: those behind them are of no use. */
  #hasGap = false;

  add({ name, header, sizeBytes, begin, frames, later }: Scanned): void {
    this.#begin(begin);
    let lowestIndex = Number.POSITIVE_INFINITY;
    for (const frame of frames) {
      this.#replay(frame, { segment: name, position: frame.start, bytes: frame.end - frame.start });
      for (const { index } of entriesOf(frame)) lowestIndex = Math.min(lowestIndex, index);
      if (this.#hasGap) continue;
      // The two beginnings are one append.
      const isBeginning = frame.records[0]?.kind === 'begin';
      this.#durableFrame = isBeginning ? begin.previousFrame : frame.number - 1;
      this.#endsWithReset = isBeginning && begin.isReset;
      this.#lastFrame = frame.number;
      this.#tail = entriesOf(frame);
    }
    for (const frame of later) {
      if (frame.number <= this.#lastFrame) continue;
      this.#hasGap = true;
      this.#replay(frame, { segment: name, position: 0, bytes: 0 });
    }
    const end = frames.at(-1)?.end ?? FRAMES_START;
    this.#segments.push({ name, header, sizeBytes, mark: begin.mark, end, lowestIndex });
  }

  result(): Omit<Recovered, 'free' | 'highestFrame' | 'highestSegment'> {
    return {
      hardState: this.#hardState,
      mark: this.#mark,
      entries: this.#entries,
      damagedUpTo: this.#damagedUpTo,
      tail: this.#tail,
      endsWithReset: this.#endsWithReset,
      durableFrame: this.#durableFrame,
      segments: this.#segments,
    };
  }

  #begin(begin: Begin): void {
    const isFirst = this.#mark === null || begin.isReset;
    if (isFirst) {
      this.#mark = begin.mark;
      this.#entries = [];
      this.#damagedUpTo = 0;
      this.#hasGap = false;
    } else if (begin.previousFrame > this.#lastFrame) {
      // The end of an earlier segment is lost, or a whole one.
      this.#hasGap = true;
      this.#damagedUpTo = Math.max(this.#damagedUpTo, begin.mark.index);
    } else {
      this.#damagedUpTo = 0;
    }
    this.#damagedUpTo = Math.max(this.#damagedUpTo, begin.damagedUpTo);
    this.#hardState = begin.hardState;
  }

  #replay(frame: Frame, place: Omit<FoundEntry, 'entry'>): void {
    const first = (this.#mark?.index ?? 0) + 1;
    for (const record of frame.records) {
      if (record.kind === 'hardState') this.#hardState = record.hardState;
      if (record.kind !== 'entry') continue;
      const { entry } = record;
      if (this.#hasGap || entry.index > first + this.#entries.length || entry.index < first) {
        this.#damagedUpTo = Math.max(this.#damagedUpTo, entry.index);
        continue;
      }
      this.#entries.length = entry.index - first;
      this.#entries.push({ entry, ...place });
    }
  }
}
