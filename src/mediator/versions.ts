// Hands out version numbers from ranges that the metaserver allocates
// durably, so that none is ever used twice, whatever crashes.
import type { Version } from '../protocol/blocks.js';
import type { MetadataService } from '../protocol/metadata.js';
import type { Clock } from '../runtime/clock.js';

/** Versions per allocation; what is left of a range is lost when the mediator stops. */
const RANGE = 65_536;

export class Versions {
  #next = 0;
  #end = 0;
  #allocation: Promise<void> | null = null;

  constructor(
    private readonly metadata: MetadataService,
    private readonly clock: Clock,
  ) {}

  async take(): Promise<Version> {
    while (this.#next >= this.#end) {
      this.#allocation ??= this.#allocate().finally(() => {
        this.#allocation = null;
      });
      await this.#allocation;
    }
    return this.#next++;
  }

  async #allocate(): Promise<void> {
    const { first } = await this.metadata.execute({
      name: 'allocate',
      timeNs: this.clock.nowNs(),
      request: { count: RANGE },
      durable: true,
    });
    this.#next = first;
    this.#end = first + RANGE;
  }
}
