// The ballots of a file's blocks, as far as somebody looks at them: votes are asked
// for in windows, and what they showed before stays to be told.
import type { PageBlock, VotesAnswer } from '../../protocol/page/messages.js';
import { ask } from '../live/ask.js';
import { Store } from '../live/store.js';

/** Blocks of one question. */
const WINDOW = 64;
/** Windows that are kept: those looked at last. */
const MOST_WINDOWS = 100;
/** At a time, so that others' reads go on. */
const MOST_ASKED = 2;
const MOST_EARLIER = 4;

export interface Vote {
  timeMs: number;
  readQuorum: number;
  servers: readonly string[];
  block: PageBlock;
}

/** undefined: not voted yet; null: a hole, which nobody stores. */
export type Seen = Vote | null | undefined;

export class Ballots {
  /** Changes when there is something new to show. */
  readonly changes = new Store(0);
  readonly failure = new Store<string | null>(null);
  readonly #windows = new Map<number, ReadonlyMap<number, Vote>>();
  readonly #earlier = new Map<number, readonly Vote[]>();
  readonly #asking = new Set<number>();
  /** In view, and to be asked anew although they are known. */
  #view: readonly number[] = [];
  readonly #stale = new Set<number>();

  readonly #inode: number;

  constructor(inode: number) {
    this.#inode = inode;
  }

  get isAsking(): boolean {
    return this.#asking.size > 0;
  }

  at(index: number): Seen {
    const window = this.#windows.get(Math.floor(index / WINDOW));
    return window === undefined ? undefined : (window.get(index) ?? null);
  }

  /** What votes on the block showed before, newest first, each other than the one after it. */
  earlier(index: number): readonly Vote[] {
    return this.#earlier.get(index) ?? [];
  }

  /** Has these blocks voted on that have not been. */
  look(first: number, last: number): void {
    const from = Math.floor(first / WINDOW);
    const to = Math.floor(last / WINDOW);
    this.#view = Array.from({ length: to - from + 1 }, (_, at) => from + at);
    this.#askNext();
  }

  /** Has what is in view voted on again. @param shown as still to come meanwhile */
  again(shown: boolean): void {
    for (const [window, votes] of this.#windows) {
      this.#stale.add(window);
      if (shown) for (const [index, vote] of votes) this.#remember(index, vote);
    }
    if (shown) this.#windows.clear();
    this.#tell();
    this.#askNext();
  }

  #askNext(): void {
    for (const window of this.#view) {
      if (this.#asking.size >= MOST_ASKED) return;
      if (this.#asking.has(window) || (this.#windows.has(window) && !this.#stale.has(window))) continue;
      this.#asking.add(window);
      this.#stale.delete(window);
      ask
        .votes(this.#inode, window * WINDOW, WINDOW)
        .then(
          (answer) => {
            this.failure.value = null;
            this.#take(window, answer);
          },
          (error: unknown) => {
            this.failure.value = error instanceof Error ? error.message : String(error);
          },
        )
        .finally(() => {
          this.#asking.delete(window);
          this.#tell();
          if (this.failure.value === null) this.#askNext();
        });
    }
  }

  #take(window: number, { timeMs, readQuorum, servers, blocks }: VotesAnswer): void {
    const before = this.#windows.get(window);
    for (const [index, vote] of before ?? []) this.#remember(index, vote);
    // The newest is the last that is dropped.
    this.#windows.delete(window);
    this.#windows.set(window, new Map(blocks.map((block) => [block.index, { timeMs, readQuorum, servers, block }])));
    for (const block of blocks) this.#forgetEqual(block);
    for (const oldest of this.#windows.keys()) {
      if (this.#windows.size <= MOST_WINDOWS) break;
      this.#windows.delete(oldest);
    }
  }

  #remember(index: number, vote: Vote): void {
    const known = this.earlier(index);
    if (known[0] !== undefined && isSame(known[0].block, vote.block)) return;
    this.#earlier.set(index, [vote, ...known].slice(0, MOST_EARLIER));
  }

  /** A vote that showed the same again is no news. */
  #forgetEqual(block: PageBlock): void {
    const known = this.#earlier.get(block.index);
    if (known?.[0] === undefined || !isSame(known[0].block, block)) return;
    if (known.length === 1) this.#earlier.delete(block.index);
    else this.#earlier.set(block.index, known.slice(1));
  }

  #tell(): void {
    this.changes.value++;
  }
}

function isSame(one: PageBlock, other: PageBlock): boolean {
  return one.version === other.version && JSON.stringify(one.ballots) === JSON.stringify(other.ballots);
}
