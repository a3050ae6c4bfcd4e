// What the files of a log say. A frame at the end that is not whole was never acknowledged, and does not count. Where a whole frame
// lies behind one that is not, acknowledged entries are lost: the log ends before them, and says how far it once went.
import { Buffer } from 'node:buffer';
import { join } from 'node:path';
import type { Disk } from '../../runtime/disk.js';
import { BLANK_HARD_STATE, type Entry, type HardState, type Mark } from '../core/core.js';
import type { MemberId } from '../core/members.js';
import { type Begin, type Frame, type LogRecord, laterFrames, leadingFrames } from './frame.js';
import { decodeHeader, type FoundSegment, FRAMES_START, type SegmentHeader } from './segment.js';

const NAME = /^segment-\d+$/;

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
  /** What the last frame holds that counts: it may be in the system's cache only. */
  readonly tail: readonly LogRecord[];
  /** The last frame that counts and was on the disk before the last append, and the highest number that any frame has. */
  readonly durableFrame: number;
  readonly highestFrame: number;
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
  const needed = scanned.slice(firstNeeded(scanned, stateIndex));
  for (const { name } of scanned) if (!needed.some((segment) => segment.name === name)) free.push(name);
  const replay = new Replay();
  needed.forEach((segment, place) => {
    const later = needed.slice(place + 1).map(({ begin }) => begin.previousFrame);
    replay.add(segment, Math.min(Number.POSITIVE_INFINITY, ...later));
  });
  return { ...replay.result(), free };
}

/**
 * The place of the first segment that counts. All that a state lacks is behind the last beginning that the state has reached;
 * of what is before, some may be gone, and the rest is there for members that lag behind.
 */
function firstNeeded(segments: readonly Scanned[], stateIndex: number): number {
  let first = lastBeginning(segments, stateIndex);
  while (first > 0) {
    const before = segments[first - 1];
    const begin = segments[first]?.begin;
    const isJoined = before?.later.length === 0 && before.frames.at(-1)?.number === begin?.previousFrame;
    if (!isJoined || begin?.isReset) break;
    first--;
  }
  return first;
}

/** A log may begin with a segment unless the entry before it was replaced later. */
function lastBeginning(segments: readonly Scanned[], stateIndex: number): number {
  let lowest = Number.POSITIVE_INFINITY;
  for (let place = segments.length - 1; place > 0; place--) {
    const segment = segments[place];
    if (segment === undefined) continue;
    lowest = Math.min(lowest, ...indexesIn(segment));
    const { index } = segment.begin.mark;
    if (segment.begin.isReset || (index <= stateIndex && index < lowest)) return place;
  }
  return 0;
}

function* indexesIn({ frames, later }: Scanned): Generator<number> {
  for (const { records } of [...frames, ...later]) {
    for (const record of records) if (record.kind === 'entry') yield record.entry.index;
  }
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
  #tail: readonly LogRecord[] = [];
  #lastFrame = 0;
  #durableFrame = 0;
  #highestFrame = 0;
  #segments: FoundSegment[] = [];
  /** Entries are missing: those behind them are of no use. */
  #hasGap = false;

  /** @param limit frames with higher numbers do not count */
  add(segment: Scanned, limit: number): void {
    const { name, header, sizeBytes, begin, frames, later } = segment;
    if ((frames[0]?.number ?? 0) <= limit) this.#begin(begin);
    let lowestIndex = Number.POSITIVE_INFINITY;
    let end = FRAMES_START;
    for (const frame of frames) {
      this.#highestFrame = Math.max(this.#highestFrame, frame.number);
      if (frame.number > limit) continue;
      const place = { segment: name, position: frame.start, bytes: frame.end - frame.start };
      this.#replay(frame, place);
      for (const record of frame.records) {
        if (record.kind === 'entry') lowestIndex = Math.min(lowestIndex, record.entry.index);
      }
      end = frame.end;
      if (this.#hasGap) continue;
      // The beginning is one append, with all that came before it on the disk.
      const isBeginning = frame.records[0]?.kind === 'begin';
      this.#durableFrame = isBeginning ? begin.previousFrame : frame.number - 1;
      this.#lastFrame = frame.number;
      this.#tail = frame.records;
    }
    const lost = later.filter(({ number }) => number > this.#lastFrame && number <= limit);
    for (const frame of later) this.#highestFrame = Math.max(this.#highestFrame, frame.number);
    for (const frame of lost) {
      this.#hasGap = true;
      this.#replay(frame, { segment: name, position: 0, bytes: 0 });
    }
    this.#segments.push({ name, header, sizeBytes, mark: begin.mark, end, lowestIndex });
  }

  result(): Omit<Recovered, 'free'> {
    return {
      hardState: this.#hardState,
      mark: this.#mark,
      entries: this.#entries,
      damagedUpTo: this.#damagedUpTo,
      tail: this.#tail.filter(({ kind }) => kind !== 'begin'),
      durableFrame: this.#durableFrame,
      highestFrame: this.#highestFrame,
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
