// Segments of which a sync failed: what they hold from some offset on may be
// lost in a power cut. They are listed in unsafe.json in the store's folder, since
// the kernel reports a failed sync only once: the next process would sync the same
// segment without an error, and take it for durable.
import { Buffer } from 'node:buffer';
import { errorFields } from '../../runtime/caught-errors.js';
import type { Disk } from '../../runtime/disk.js';
import type { Log } from '../../runtime/log.js';
import { SerialQueue } from '../../runtime/serial-queue.js';
import type { Place } from '../format/version-row.js';

const FORMAT = 1;

export class UnsafeSegments {
  /** Segment → offset. */
  readonly #from: Map<number, number>;
  readonly #saves = new SerialQueue();

  readonly #path: string;
  readonly #disk: Disk;
  readonly #log: Log;

  private constructor(path: string, disk: Disk, log: Log, from: Iterable<readonly [number, number]>) {
    this.#path = path;
    this.#disk = disk;
    this.#log = log;
    this.#from = new Map(from);
  }

  /** Reads the list, without segments that are not `there` any more. Rejects when the file can't be read. */
  static async load(path: string, disk: Disk, log: Log, there: readonly number[]): Promise<UnsafeSegments> {
    const content = await disk.readFile(path);
    const entries = content === undefined ? [] : parse(content, path);
    const left = entries.filter(([segment]) => there.includes(segment));
    return new UnsafeSegments(path, disk, log, left);
  }

  /** Segment and offset of each. */
  entries(): [number, number][] {
    return [...this.#from];
  }

  has(segment: number): boolean {
    return this.#from.has(segment);
  }

  /** Whether a sync of the bytes at that place failed. */
  includes({ segment, offset }: Place): boolean {
    const from = this.#from.get(segment);
    return from !== undefined && offset >= from;
  }

  /** Takes effect at once; resolves when the list is stored, or the disk has refused it. */
  async add(segment: number, fromOffset: number): Promise<void> {
    this.#from.set(segment, fromOffset);
    await this.#save().catch((error: unknown) => {
      this.#log.error('segment.unsafe_not_kept', { segment, ...errorFields(error) });
    });
  }

  /** Everything there was written anew, durably. When the disk refuses the list, this rejects and the segment stays listed. */
  async remove(segment: number): Promise<void> {
    const from = this.#from.get(segment);
    if (from === undefined) return;
    this.#from.delete(segment);
    try {
      await this.#save();
    } catch (error) {
      this.#from.set(segment, from);
      throw error;
    }
  }

  /** Stores the list as it is when earlier saves have ended. */
  #save(): Promise<void> {
    return this.#saves.run(async () => {
      const text = `${JSON.stringify({ format: FORMAT, segments: this.entries() })}\n`;
      await this.#disk.replaceFile(this.#path, Buffer.from(text));
    });
  }
}

function parse(content: Uint8Array, path: string): [number, number][] {
  try {
    const parsed: { format?: unknown; segments?: unknown } | null = JSON.parse(Buffer.from(content).toString());
    const segments = parsed?.segments;
    if (parsed?.format === FORMAT && Array.isArray(segments) && segments.every(isEntry)) return segments;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new Error(`${path} is damaged: restore it, or start with --blank to be rebuilt`);
}

function isEntry(entry: unknown): entry is [number, number] {
  return Array.isArray(entry) && entry.length === 2 && entry.every((part) => Number.isSafeInteger(part) && part >= 0);
}
