// The files of a log that hold nothing that counts. The next segment is made ready before it is needed.
import { join } from 'node:path';
import { errorFields } from '../../runtime/caught-errors.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import { prepareSegment, type Segment } from './segment.js';

export class SegmentSupply {
  #spare: Promise<Segment> | null = null;
  /** Files that may be used again. */
  #free: string[] = [];
  #nextNumber = 1;

  readonly #directory: string;
  readonly #segmentBytes: number;
  readonly #runtime: Runtime;

  constructor(directory: string, segmentBytes: number, runtime: Runtime) {
    this.#directory = directory;
    this.#segmentBytes = segmentBytes;
    this.#runtime = runtime;
  }

  /** @param highestNumber of the segments that were ever begun */
  found(free: readonly string[], highestNumber: number): void {
    this.#free.push(...free);
    this.#nextNumber = highestNumber + 1;
  }

  /** The next segment, of at least so many bytes. Rejects on a disk that takes no writes. */
  async take(leastBytes: number): Promise<Segment> {
    const spare = await this.#spare?.catch(() => null);
    this.#spare = null;
    if (spare != null && spare.sizeBytes >= leastBytes) return spare;
    if (spare != null) await this.release(spare);
    return this.#prepare(Math.max(leastBytes, this.#segmentBytes));
  }

  prepareNext(): void {
    this.#spare = this.#prepare(this.#segmentBytes);
    this.#spare.catch((error: unknown) => {
      rethrowProgramFault(error);
      this.#runtime.log.warn('replication.log_unprepared', { directory: this.#directory, ...errorFields(error) });
    });
  }

  /** The segment is not needed any more. One file is kept for the next segment; more would only take room. */
  async release(segment: Segment): Promise<void> {
    await segment.close();
    if (this.#free.length === 0) this.#free.push(segment.name);
    else await this.#runtime.disk.remove(segment.path);
  }

  async close(): Promise<void> {
    const spare = await this.#spare?.catch(() => null);
    this.#spare = null;
    await spare?.close();
  }

  async #prepare(leastBytes: number): Promise<Segment> {
    const number = this.#nextNumber++;
    const recycled = this.#free.pop();
    const name = recycled ?? `segment-${number}`;
    try {
      return await prepareSegment(this.#directory, name, number, leastBytes, this.#runtime);
    } catch (error) {
      // A file of full size is worth more than its room: the next segment needs no other.
      if (recycled !== undefined) this.#free.push(recycled);
      else await this.#runtime.disk.remove(join(this.#directory, name));
      throw error;
    }
  }
}
