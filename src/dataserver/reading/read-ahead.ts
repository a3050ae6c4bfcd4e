// Read-ahead for direct reads, which the system does only for reads through its
// cache: the stretch of a segment behind the last direct read is loaded before it
// is asked for. It is one stretch, for a lone sequential reader; several readers
// keep the disk busy without it.
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
  /** When loading ended; undefined before that. */
  loadedMs: number | undefined;
}

export class ReadAhead {
  #last: Stretch = { segment: 0, from: 0, to: 0 };
  #ahead: Ahead | undefined;

  readonly #clock: Clock;
  readonly #free: (memory: Buffer) => void;

  /** @param free takes back the memory of a stretch that was not asked for */
  constructor(clock: Clock, free: (memory: Buffer) => void) {
    this.#clock = clock;
    this.#free = free;
  }

  /** Notes that `next` is read. Answers whether it follows the stretch that was read before. */
  follows(next: Stretch): boolean {
    const { segment, to } = this.#last;
    this.#last = next;
    return segment === next.segment && next.from >= to && next.from - to <= DIRECT_READ_GAP_BYTES;
  }

  /** Starts loading a stretch; `load` answers undefined when it failed. */
  begin(stretch: Stretch, load: () => Promise<Loaded | undefined>): void {
    this.#drop();
    const ahead: Ahead = { ...stretch, loading: load(), loadedMs: undefined };
    this.#ahead = ahead;
    void ahead.loading.then(() => {
      ahead.loadedMs = this.#clock.monotonicMs();
    });
  }

  /** Hands out the loaded stretch, once, unless it is too old: the disk may have other bytes by now. */
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
