// A log without a disk: for groups whose members may forget everything when their processes end.
import { assert } from '../../runtime/assert.js';
import { BLANK_HARD_STATE, type Entry, type HardState, type Mark, type StoredState } from '../core/core.js';
import type { Members } from '../core/members.js';
import type { ReplicationLog } from './replication-log.js';

/** What a member needs of its log, wherever that lies. */
export type MemberLog = Pick<
  ReplicationLog,
  | 'stored'
  | 'damagedUpTo'
  | 'lastIndex'
  | 'members'
  | 'append'
  | 'reset'
  | 'heal'
  | 'compact'
  | 'has'
  | 'cached'
  | 'read'
  | 'close'
>;

export class MemoryLog implements MemberLog {
  readonly damagedUpTo = 0;
  #hardState: HardState = BLANK_HARD_STATE;
  /** The entries begin behind it. */
  #mark: Mark;
  #entries: Entry[] = [];

  /** @param mark what the state stands for */
  constructor(mark: Mark) {
    this.#mark = mark;
  }

  get stored(): StoredState {
    return { hardState: this.#hardState, mark: this.#mark, entries: [...this.#entries], damagedUpTo: 0 };
  }

  get lastIndex(): number {
    return this.#mark.index + this.#entries.length;
  }

  get members(): Members {
    return this.#membersAt(this.lastIndex);
  }

  async append(hardState: HardState | null, entries: readonly Entry[]): Promise<void> {
    this.#hardState = hardState ?? this.#hardState;
    for (const entry of entries) {
      assert(entry.index > this.#mark.index && entry.index <= this.lastIndex + 1, 'entries leave no gap');
      this.#entries.length = entry.index - this.#mark.index - 1;
      this.#entries.push(entry);
    }
  }

  async reset(mark: Mark, hardState: HardState | null): Promise<void> {
    this.#hardState = hardState ?? this.#hardState;
    this.#mark = mark;
    this.#entries = [];
  }

  async heal(): Promise<void> {}

  async compact(index: number): Promise<number> {
    const last = this.cached(index);
    if (last === undefined) return this.#mark.index;
    const members = this.#membersAt(index);
    this.#entries = this.#entries.slice(index - this.#mark.index);
    this.#mark = { index, term: last.term, members };
    return index;
  }

  has(index: number): boolean {
    return this.cached(index) !== undefined;
  }

  cached(index: number): Entry | undefined {
    return this.#entries[index - this.#mark.index - 1];
  }

  async read(first: number, last: number): Promise<Entry[]> {
    return this.#entries.slice(first - this.#mark.index - 1, last - this.#mark.index);
  }

  async close(): Promise<void> {}

  #membersAt(index: number): Members {
    const change = this.#entries.findLast((entry) => entry.index <= index && entry.content.kind === 'members');
    return change?.content.kind === 'members' ? change.content.members : this.#mark.members;
  }
}
