// One member of a simulated group: a core, a disk that stores a while later, and a state that is the digest of all that was applied.
import assert from 'node:assert/strict';
import {
  BLANK_HARD_STATE,
  type Core,
  type CoreStatus,
  type Entry,
  type EntryRange,
  type Envelope,
  type HardState,
  type Mark,
  type Outgoing,
  type StoredState,
  type Writes,
} from '../../../src/replication/core/core.js';
import type { MemberId, Members } from '../../../src/replication/core/members.js';
import type { SeededRandom } from '../../simulation/world/seeded-random.js';

export type MakeCore = (self: MemberId, stored: StoredState, random: SeededRandom) => Core;

/** A state that stands for all entries up to the mark. */
export interface State {
  mark: Mark;
  digest: string;
}

const NOBODY: Members = { voters: [], learners: [] };
const BLANK_MARK: Mark = { index: 0, term: 0, members: NOBODY };

export class SimulatedMember {
  core: Core | null = null;
  /** On the disk. */
  hardState: HardState = BLANK_HARD_STATE;
  entries: Entry[] = [];
  /** As of the last compaction; the entries begin behind it. */
  base: State;
  damagedUpTo = 0;
  /** Applied in memory; begins at `base` after a restart. */
  applied: State;
  /** The writes that are under way, and when they are done. */
  writing: { writes: Writes<Envelope>; dueAt: number } | null = null;
  /** The state that was sent to it and not installed yet. */
  received: State | null = null;
  isRemoved = false;

  readonly id: MemberId;
  readonly #make: MakeCore;
  readonly #random: SeededRandom;

  constructor(id: MemberId, founders: readonly MemberId[] | null, make: MakeCore, random: SeededRandom) {
    this.id = id;
    this.#make = make;
    this.#random = random;
    const mark = founders === null ? BLANK_MARK : { ...BLANK_MARK, members: { voters: founders, learners: [] } };
    this.base = { mark, digest: '' };
    this.applied = this.base;
  }

  get lastIndex(): number {
    return this.base.mark.index + this.entries.length;
  }

  entryAt(index: number): Entry | undefined {
    return this.entries[index - this.base.mark.index - 1];
  }

  start(): void {
    const { hardState, damagedUpTo } = this;
    const stored = { hardState, mark: this.base.mark, entries: [...this.entries], damagedUpTo };
    this.core = this.#make(this.id, stored, this.#random.fork());
    this.applied = this.base;
  }

  /** A part of the writes under way may be on the disk. */
  crash(): void {
    if (this.writing !== null) {
      const { writes } = this.writing;
      const steps = (writes.install === null ? 0 : 1) + (writes.hardState === null ? 0 : 1) + writes.entries.length;
      this.#store(writes, this.#random.between(0, steps));
    }
    this.writing = null;
    this.received = null;
    this.core = null;
  }

  /** The entries from `first` on are lost, or from a random one on; that there were some is known. */
  damage(first = this.base.mark.index + this.#random.between(1, this.entries.length)): void {
    assert(this.core === null, 'a disk is damaged while its server is down');
    if (this.entries.length === 0) return;
    this.damagedUpTo = Math.max(this.damagedUpTo, this.lastIndex);
    this.entries.length = first - 1 - this.base.mark.index;
  }

  /** @returns the message with the entries that it names; null when they were replaced meanwhile: it is as good as lost */
  withEntries(message: Outgoing<Envelope>): Envelope | null {
    if (!('first' in message)) return message;
    const { first, last } = message as Envelope & EntryRange;
    const entries: Entry[] = [];
    for (let index = first; index <= last; index++) {
      const entry = this.core?.unstored(index) ?? this.entryAt(index);
      if (entry === undefined) return null;
      entries.push(entry);
    }
    return { ...message, entries } as Envelope;
  }

  finishWriting(): Writes<Envelope> {
    assert(this.writing !== null && this.core !== null, 'only a running member ends a write');
    const { writes } = this.writing;
    this.#store(writes, Number.POSITIVE_INFINITY);
    this.writing = null;
    this.core.stored();
    return writes;
  }

  /** What is committed and stored, one entry at a time. */
  *applyNext({ applicable }: CoreStatus): Generator<{ entry: Entry; digest: string }> {
    while (this.applied.mark.index < applicable) {
      const entry = this.entryAt(this.applied.mark.index + 1);
      assert(entry !== undefined, `${this.id} applies what it has`);
      const digest = digestOf(this.applied.digest, entry);
      const members = entry.content.kind === 'members' ? entry.content.members : this.applied.mark.members;
      this.applied = { mark: { index: entry.index, term: entry.term, members }, digest };
      yield { entry, digest };
    }
    // What it has applied, and so stored: a crash may take what it only knows to be committed.
    if (this.applied.mark.index >= this.damagedUpTo) this.damagedUpTo = 0;
  }

  compact(): void {
    const { index } = this.applied.mark;
    if (index <= this.base.mark.index || this.writing !== null) return;
    this.entries = this.entries.slice(index - this.base.mark.index);
    this.base = this.applied;
    this.core?.compact(index);
  }

  /** Does the first so many of the steps that the writes are made of. */
  #store({ install, hardState, entries }: Writes<Envelope>, steps: number): void {
    let left = steps;
    if (install !== null && left-- > 0) {
      assert(this.received?.mark.index === install.index, `${this.id} installs what it was sent`);
      this.base = this.received;
      this.applied = this.received;
      this.entries = [];
    }
    if (hardState !== null && left-- > 0) this.hardState = hardState;
    for (const entry of entries) {
      if (left-- <= 0) break;
      this.entries.length = entry.index - this.base.mark.index - 1;
      this.entries.push(entry);
    }
  }
}

export function digestOf(before: string, { index, term, content }: Entry): string {
  const what = content.kind === 'data' ? String(content.data) : JSON.stringify(content);
  // Short enough to read in a failure, and different for every history.
  let hash = 0;
  for (const letter of `${before}|${index}|${term}|${what}`) hash = (Math.imul(hash, 31) + letter.charCodeAt(0)) >>> 0;
  return `${index}.${hash.toString(36)}`;
}
