// The stretch of a segment behind a direct read, read while nobody has asked
// for it yet: what the system's read-ahead does for reads through its cache.
// One stretch, for one reader who goes on; several at once need none.
import type { Buffer } from 'node:buffer';
import type { Clock } from '../../runtime/clock.js';
import { DIRECT_READ_GAP_BYTES, READ_AHEAD_LIFE_MS } from '../limits.js';

/** Bytes [from, to) of a segment. */
export interface Stretch {
  segment: number;
  from: number;
  to: number;
}

/** Memory with the bytes of a stretch in it, from its beginning on. */
export interface Loaded {
  from: number;
  memory: Buffer;
}

interface Ahead extends Stretch {
  loading: Promise<Loaded | undefined>;
  /** When it was there; undefined while it is being read. */
  loadedMs: number | undefined;
}

export class ReadAhead {
  #last: Stretch = { segment: 0, from: 0, to: 0 };
  #ahead: Ahead | undefined;

  readonly #clock: Clock;
  readonly #free: (memory: Buffer) => void;

  /** @param free takes memory back that nobody came for */
  constructor(clock: Clock, free: (memory: Buffer) => void) {
    this.#clock = clock;
    this.#free = free;
  }

  /** Notes that a stretch is read. Answers whether it follows the one before. */
  follows(next: Stretch): boolean {
    const { segment, to } = this.#last;
    this.#last = next;
    return segment === next.segment && next.from >= to && next.from - to <= DIRECT_READ_GAP_BYTES;
  }

  /** Reads a stretch before it is asked for; `load` answers undefined when it failed. */
  begin(stretch: Stretch, load: () => Promise<Loaded | undefined>): void {
    this.#drop();
    const ahead: Ahead = { ...stretch, loading: load(), loadedMs: undefined };
    this.#ahead = ahead;
    void ahead.loading.then(() => {
      ahead.loadedMs = this.#clock.monotonicMs();
    });
  }

  /** The memory with that stretch, once. What was read long ago may not be what is on the disk now: nobody gets it. */
  async take({ segment, from, to }: Stretch): Promise<Loaded | undefined> {
    const ahead = this.#ahead;
    if (ahead === undefined || ahead.segment !== segment || ahead.from > from || ahead.to < to) return undefined;
    const { loadedMs } = ahead;
    if (loadedMs !== undefined && this.#clock.monotonicMs() - loadedMs > READ_AHEAD_LIFE_MS) return undefined;
    this.#ahead = undefined;
    return ahead.loading;
  }

  #drop(): void {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    void ahead?.loading.then((loaded) => loaded && this.#free(loaded.memory));
  }
}
