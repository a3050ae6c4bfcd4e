// The entries of a log: where each lies on the disk, and the newest of them in memory.
import { assert } from '../../runtime/assert.js';
import type { Entry, Mark } from '../core/core.js';
import { LogShape } from '../core/log-shape.js';
import { decodeFrame } from './frame.js';
import type { Segment } from './segment.js';

/** The frame that an entry lies in. */
export interface FramePlace {
  readonly segment: Segment;
  readonly position: number;
  readonly bytes: number;
}

interface Place extends FramePlace {
  readonly dataBytes: number;
  /** null when only the disk has it. */
  entry: Entry | null;
}

export class PlacedEntries {
  /** Of the entries behind the mark, in order. */
  #places: Place[] = [];
  /** The first of them that is in memory, and how much is. */
  #cachedFrom = 0;
  #cachedBytes = 0;

  readonly shape: LogShape;
  readonly #cacheBytes: number;

  constructor(mark: Mark, cacheBytes: number) {
    this.shape = new LogShape(mark);
    this.#cacheBytes = cacheBytes;
  }

  /** As a core wants them: the data may be missing. */
  get shapes(): Entry[] {
    const first = this.shape.mark.index + 1;
    return this.#places.map(({ entry, dataBytes }, at): Entry => {
      if (entry !== null) return entry;
      const index = first + at;
      return { index, term: this.shape.termAt(index) ?? 0, content: { kind: 'data', data: null, bytes: dataBytes } };
    });
  }

  /** It replaces what was at its index and behind it. */
  put(entry: Entry, frame: FramePlace): void {
    const place = { ...frame, dataBytes: entry.content.kind === 'data' ? entry.content.bytes : 0, entry };
    this.shape.put(entry);
    const kept = entry.index - this.shape.mark.index - 1;
    for (const gone of this.#places.splice(kept)) this.#cachedBytes -= cachedBytesOf(gone);
    this.#places.push(place);
    this.#cachedFrom = Math.min(this.#cachedFrom, kept);
    this.#cachedBytes += place.dataBytes;
    place.segment.lowestIndex = Math.min(place.segment.lowestIndex, entry.index);
    this.#trimCache();
  }

  /** The entries up to `index` are gone. */
  compact(index: number): void {
    const gone = index - this.shape.mark.index;
    if (gone <= 0) return;
    for (const place of this.#places.splice(0, gone)) this.#cachedBytes -= cachedBytesOf(place);
    this.#cachedFrom = Math.max(0, this.#cachedFrom - gone);
    this.shape.compact(index);
  }

  /** All entries are gone: a state stands for them. */
  reset(mark: Mark): void {
    this.shape.install(mark);
    this.#places = [];
    this.#cachedFrom = 0;
    this.#cachedBytes = 0;
  }

  /** An entry that is in memory; undefined for others. */
  cached(index: number): Entry | undefined {
    return this.#places[index - this.shape.mark.index - 1]?.entry ?? undefined;
  }

  /** From the disk where need be. Rejects when they can't be read, or have changed meanwhile. */
  async read(first: number, last: number): Promise<Entry[]> {
    const start = first - this.shape.mark.index - 1;
    const places = this.#places.slice(Math.max(0, start), start + last - first + 1);
    assert(start >= 0 && places.length === last - first + 1, 'only entries that are there are read');
    const entries: Entry[] = [];
    for (const [at, place] of places.entries()) {
      const entry = place.entry ?? (await readEntry(place, first + at));
      if (entry === undefined) throw new Error(`entry ${first + at} of the log can't be read`);
      entries.push(entry);
    }
    return entries;
  }

  #trimCache(): void {
    while (this.#cachedBytes > this.#cacheBytes && this.#cachedFrom < this.#places.length - 1) {
      const place = this.#places[this.#cachedFrom++];
      if (place?.entry == null || place.entry.content.kind !== 'data') continue;
      this.#cachedBytes -= place.dataBytes;
      place.entry = null;
    }
  }
}

async function readEntry({ segment, position, bytes }: Place, index: number): Promise<Entry | undefined> {
  const content = await segment.read(position, bytes);
  for (const record of decodeFrame(content, 0, segment.header.salt)?.records ?? []) {
    if (record.kind === 'entry' && record.entry.index === index) return record.entry;
  }
  return undefined;
}

function cachedBytesOf({ entry, dataBytes }: Place): number {
  return entry === null ? 0 : dataBytes;
}
