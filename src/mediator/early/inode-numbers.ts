// Numbers for inodes that this mediator makes: reserved in ranges, the next one
// while the last is being used.
import type { MetadataService } from '../../protocol/services/metadata.js';
import { rethrowProgramFault } from '../../runtime/faults.js';

/** The rest of a range is never used when the mediator stops. */
const RANGE = 1024;

export class InodeNumbers {
  #next = 0;
  #end = 0;
  /** The first of the next range; 0: none is reserved. */
  #reserved = 0;
  #isAsking = false;

  readonly #metadata: MetadataService;
  readonly #nowNs: () => bigint;

  constructor(metadata: MetadataService, nowNs: () => bigint) {
    this.#metadata = metadata;
    this.#nowNs = nowNs;
  }

  /** The number that `take` uses up; undefined while there is none. */
  get next(): number | undefined {
    if (this.#next < this.#end) return this.#next;
    if (this.#reserved === 0) {
      this.#ask();
      return undefined;
    }
    this.#next = this.#reserved;
    this.#end = this.#reserved + RANGE;
    this.#reserved = 0;
    return this.#next;
  }

  take(): void {
    this.#next++;
    if (this.#reserved === 0 && this.#end - this.#next < RANGE / 2) this.#ask();
  }

  #ask(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const message = {
      name: 'reserveInodes',
      timeNs: this.#nowNs(),
      request: { count: RANGE },
      durable: false,
    } as const;
    this.#metadata
      .execute(message)
      .then(({ first }) => {
        this.#reserved = first;
      })
      // Without a number the metaserver makes the inode, as it does for other callers.
      .catch(rethrowProgramFault)
      .finally(() => {
        this.#isAsking = false;
      });
  }
}
