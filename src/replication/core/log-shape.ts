// What a core knows of its log: of each entry its term and its size, and who was a member when.
import { assert } from '../../runtime/assert.js';
import type { Content, Entry, Mark } from './core.js';
import type { Members } from './members.js';

/** Counted for each entry besides its data. */
const ENTRY_BYTES = 32;

export class LogShape {
  #mark: Mark;
  /** Where each term begins, ascending; entries in a row mostly have one term. */
  #terms: { term: number; first: number }[] = [];
  /** Of the entry at mark.index + 1 and those that follow. */
  #bytes: number[] = [];
  /** The changes of membership behind the mark, ascending. */
  #changes: { index: number; members: Members }[] = [];

  constructor(mark: Mark) {
    this.#mark = mark;
  }

  get mark(): Mark {
    return this.#mark;
  }

  get lastIndex(): number {
    return this.#mark.index + this.#bytes.length;
  }

  get lastTerm(): number {
    return this.#terms.at(-1)?.term ?? this.#mark.term;
  }

  /** As of the last entry: a change counts as soon as it is in the log. */
  get members(): Members {
    return this.#changes.at(-1)?.members ?? this.#mark.members;
  }

  /** The index of the last change; 0 when there is none behind the mark. */
  get lastChange(): number {
    return this.#changes.at(-1)?.index ?? 0;
  }

  membersAt(index: number): Members {
    return this.#changes.findLast((change) => change.index <= index)?.members ?? this.#mark.members;
  }

  /** undefined for an entry that isn't there, or is below the mark. */
  termAt(index: number): number | undefined {
    if (index < this.#mark.index || index > this.lastIndex) return undefined;
    if (index === this.#mark.index) return this.#mark.term;
    return this.#terms.findLast(({ first }) => first <= index)?.term;
  }

  /** Puts an entry at its index, which is at most one behind the last; it replaces everything from there on. */
  put({ index, term, content }: Entry): void {
    assert(
      index > this.#mark.index && index <= this.lastIndex + 1,
      'an entry has a place behind the mark, without a gap',
    );
    this.#truncate(index);
    assert(term >= this.lastTerm, 'terms never go down in a log');
    if (this.#terms.length === 0 || term > this.lastTerm) this.#terms.push({ term, first: index });
    this.#bytes.push(sizeOf(content));
    if (content.kind === 'members') this.#changes.push({ index, members: content.members });
  }

  /** The log begins behind `index`, which is in it, from now on. */
  compact(index: number): void {
    const term = this.termAt(index);
    assert(term !== undefined, 'only what is there is compacted');
    const members = this.membersAt(index);
    const next = index + 1;
    const nextTerm = this.termAt(next);
    const later = this.#terms.filter(({ first }) => first > next);
    this.#terms = nextTerm === undefined ? [] : [{ term: nextTerm, first: next }, ...later];
    this.#bytes.splice(0, index - this.#mark.index);
    this.#changes = this.#changes.filter((change) => change.index > index);
    this.#mark = { index, term, members };
  }

  /** Replaces everything. */
  install(mark: Mark): void {
    this.#mark = mark;
    this.#terms = [];
    this.#bytes = [];
    this.#changes = [];
  }

  /** The last of the entries from `first` on that together have at most so many bytes; at least `first`, if it is there. */
  lastWithin(first: number, maximumBytes: number): number {
    let last = first;
    let bytes = this.#bytesOf(first);
    while (last < this.lastIndex) {
      bytes += this.#bytesOf(last + 1);
      if (bytes > maximumBytes) break;
      last++;
    }
    return Math.min(last, this.lastIndex);
  }

  /** The last entry at or before `index` whose term is at most `term`; the mark at the lowest. */
  lastUpTo(index: number, term: number): { index: number; term: number } {
    let at = Math.min(index, this.lastIndex);
    for (const run of this.#terms.toReversed()) {
      if (run.first > at) continue;
      if (run.term <= term) return { index: at, term: run.term };
      at = run.first - 1;
    }
    return { index: this.#mark.index, term: this.#mark.term };
  }

  #bytesOf(index: number): number {
    return this.#bytes[index - this.#mark.index - 1] ?? 0;
  }

  #truncate(from: number): void {
    if (from > this.lastIndex) return;
    this.#bytes.length = from - this.#mark.index - 1;
    while ((this.#terms.at(-1)?.first ?? 0) >= from) this.#terms.pop();
    while ((this.#changes.at(-1)?.index ?? 0) >= from) this.#changes.pop();
  }
}

function sizeOf(content: Content): number {
  return ENTRY_BYTES + (content.kind === 'data' ? content.bytes : 0);
}
