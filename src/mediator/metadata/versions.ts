// Hands out version numbers from ranges that the metaserver allocates
// durably, so that none is ever used twice, whatever crashes; and knows which
// of them may still be committed.
import type { Version } from '../../protocol/services/blocks.js';
import type { MetadataService } from '../../protocol/services/metadata.js';
import type { Clock } from '../../runtime/clock.js';

/** Versions per allocation, at least. What is left of a range is lost when the mediator stops or allocates the next. */
const RANGE = 65_536;

export class Versions {
  #next = 0;
  #end = 0;
  #allocation: Promise<void> | null = null;
  /** The first numbers of those that were taken and are not settled, in ascending order. */
  readonly #unsettled = new Set<Version>();

  readonly #metadata: MetadataService;
  readonly #clock: Clock;

  constructor(metadata: MetadataService, clock: Clock) {
    this.#metadata = metadata;
    this.#clock = clock;
  }

  /** The first of `count` numbers in a row. None of them is retired from here until they are `settled`. */
  async take(count: number): Promise<Version> {
    while (this.#end - this.#next < count) await this.#allocate(count);
    const first = this.#next;
    this.#next += count;
    this.#unsettled.add(first);
    return first;
  }

  /** The numbers that begin with `first` are committed, or nobody here will try to any more. */
  settled(first: Version): void {
    this.#unsettled.delete(first);
  }

  /**
   * Retires all numbers that nothing here may still commit, durably: commits that were sent and forgotten, and those of other
   * mediators, are refused from then on. What no block map names of the numbers below the answer is an orphan.
   */
  async retire(): Promise<Version> {
    // What earlier mediators had lies below the numbers of this one.
    if (this.#next === this.#end) await this.#allocate(1);
    const [oldest = this.#next] = this.#unsettled;
    const { below } = await this.#metadata.execute({
      name: 'retireVersions',
      timeNs: this.#clock.nowNs(),
      request: { below: oldest },
      durable: true,
    });
    return below;
  }

  /** Somebody else has retired all numbers below this one. */
  retired(below: Version): void {
    if (below >= this.#end) this.#next = this.#end;
    else this.#next = Math.max(this.#next, below);
  }

  #allocate(count: number): Promise<void> {
    this.#allocation ??= this.#fetchRange(Math.max(count, RANGE)).finally(() => {
      this.#allocation = null;
    });
    return this.#allocation;
  }

  async #fetchRange(count: number): Promise<void> {
    const { first } = await this.#metadata.execute({
      name: 'allocate',
      timeNs: this.#clock.nowNs(),
      request: { count },
      durable: true,
    });
    this.#next = first;
    this.#end = first + count;
  }
}
