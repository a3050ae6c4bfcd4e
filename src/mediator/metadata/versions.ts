// Hands out version numbers. The metaserver allocates them in ranges, durably, so
// that none is ever used twice. Also knows which numbers this mediator may still
// commit.
import type { Version } from '../../protocol/services/blocks.js';
import type { MetadataService } from '../../protocol/services/metadata.js';
import { assert } from '../../runtime/assert.js';
import type { Clock } from '../../runtime/clock.js';

/** Numbers per allocation, at least. The rest of a range is never used when the mediator stops. */
const RANGE = 65_536;

export class Versions {
  #next = 0;
  #end = 0;
  #allocation: Promise<void> | null = null;
  /** The first number of each `take` that is not settled, in ascending order. */
  readonly #unsettled = new Set<Version>();

  readonly #metadata: MetadataService;
  readonly #clock: Clock;

  constructor(metadata: MetadataService, clock: Clock) {
    this.#metadata = metadata;
    this.#clock = clock;
  }

  /** The first of `count` consecutive numbers. `retire` spares them until they are `settled`. */
  async take(count: number): Promise<Version> {
    assert(count > 0, 'at least one version is taken');
    while (this.#end - this.#next < count) await this.#allocate(count);
    const first = this.#next;
    this.#next += count;
    this.#unsettled.add(first);
    return first;
  }

  /** The numbers that were taken from `first` on are committed, or this mediator will not commit them. */
  settled(first: Version): void {
    this.#unsettled.delete(first);
  }

  /**
   * Retires, durably, all numbers that this mediator will not commit any more. From then on the metaserver refuses them, in
   * commits that are still under way and in those of other mediators. A version below the answer that no block map names is
   * garbage.
   */
  async retire(): Promise<Version> {
    // The first range of this mediator lies above all numbers of earlier ones.
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

  /** Another mediator has retired all numbers below this one. */
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
