// How the primary of a view that has not begun finds its log: the best of a quorum's, which has everything that is committed. It is
// fetched from whoever has it, piece by piece. Each piece replaces old entries only once the entry before it is known to be the same
// in both logs: a crash at any moment leaves a log that holds all that this member ever held of what is committed.
//
// A log is better that ends in a later view, or in the same and is longer. To adopt a better one is safe without a quorum too: its
// last view began with everything that earlier views had committed, and in one view there is one log.
import type { LogShape } from '../log-shape.js';
import { isMajority, type MemberId } from '../members.js';
import type { DoViewChange } from './messages.js';

interface Point {
  readonly index: number;
  readonly term: number;
}

export class NewLog {
  readonly #answers = new Map<MemberId, DoViewChange | null>();
  /** From whom the log is fetched, and the last entry that may be the same in both. */
  #fetching: { from: MemberId; point: Point } | null = null;

  readonly #log: LogShape;

  constructor(self: MemberId, log: LogShape) {
    this.#answers.set(self, null);
    this.#log = log;
  }

  get fetching(): { readonly from: MemberId; readonly point: Point } | null {
    return this.#fetching;
  }

  /** Up to where it is committed, as far as those know who have answered. */
  get committed(): number {
    return Math.max(0, ...[...this.#answers.values()].map((answer) => answer?.committed ?? 0));
  }

  /** By the voters of the new log. */
  get hasQuorum(): boolean {
    return isMajority(this.#log.members, (voter) => this.#answers.has(voter));
  }

  /** Who has answered does not change its log until the view begins. */
  answered(answer: DoViewChange): void {
    this.#answers.set(answer.from, answer);
    this.#choose();
  }

  /** Up to `matched` the log is the other's now. */
  took(matched: number): void {
    this.#lookAt({ index: matched, term: this.#log.termAt(matched) ?? 0 });
    this.#choose();
  }

  /** The entry that the other has sent from is another one here. */
  differs(previous: Point): void {
    this.#lookAt(this.#log.lastUpTo(previous.index, previous.term));
  }

  #lookAt(point: Point): void {
    if (this.#fetching !== null) this.#fetching = { ...this.#fetching, point };
  }

  #choose(): void {
    let best: { lastIndex: number; lastTerm: number } = this.#log;
    let from: MemberId | null = null;
    for (const [member, answer] of this.#answers) {
      if (answer === null || !isBetter(answer, best)) continue;
      best = answer;
      from = member;
    }
    if (from === null) this.#fetching = null;
    else if (from !== this.#fetching?.from) {
      this.#fetching = { from, point: this.#log.lastUpTo(best.lastIndex, best.lastTerm) };
    }
  }
}

/**
 * Where to send from to a member that asks for what comes behind `wanted`: at once, or from an earlier entry that may be the same
 * there. null when it needs the state, because the log has no such entry any more.
 */
export function sendingPoint(log: LogShape, wanted: Point): Point | null {
  if (log.termAt(wanted.index) === wanted.term) return wanted;
  const point = log.lastUpTo(wanted.index - 1, wanted.term);
  return point.index > wanted.index || point.term > wanted.term ? null : point;
}

function isBetter(
  one: { lastIndex: number; lastTerm: number },
  other: { lastIndex: number; lastTerm: number },
): boolean {
  return one.lastTerm > other.lastTerm || (one.lastTerm === other.lastTerm && one.lastIndex > other.lastIndex);
}
