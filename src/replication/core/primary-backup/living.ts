// Who is living, as far as this member hears, and who is the next primary.
import type { MemberId } from '../members.js';
import type { Helo, Roll } from './messages.js';

interface Heard {
  ticks: number;
  roll: Roll | null;
  isReturning: boolean;
  isWhole: boolean;
  start: number;
  /** Which start of this member it had heard of. */
  heardStart: number;
}

/** Of a member whose HELO did not come yet. */
const UNKNOWN: Heard = { ticks: 0, roll: null, isReturning: true, isWhole: false, start: 0, heardStart: 0 };

export class Living {
  readonly #heard = new Map<MemberId, Heard>();
  readonly #limitTicks: number;

  /** @param limitTicks whoever is silent for so long counts as dead */
  constructor(limitTicks: number) {
    this.#limitTicks = limitTicks;
  }

  tick(): void {
    for (const heard of this.#heard.values()) heard.ticks++;
  }

  heard(member: MemberId): void {
    const known = this.#heard.get(member);
    if (known === undefined) this.#heard.set(member, { ...UNKNOWN });
    else known.ticks = 0;
  }

  helo({ from, roll, isReturning, isWhole, start, heardStart }: Helo): void {
    this.#heard.set(from, { ticks: 0, roll, isReturning, isWhole, start, heardStart });
  }

  /** Which start of the member was heard of last; 0 for none. */
  startOf(member: MemberId): number {
    return this.#heard.get(member)?.start ?? 0;
  }

  isLiving(member: MemberId): boolean {
    return (this.#heard.get(member)?.ticks ?? Number.POSITIVE_INFINITY) < this.#limitTicks;
  }

  /**
   * The lowest living member that has all that was acknowledged; null when nobody surely has. All voters of the newest roll have whose
   * log is whole, but one that was away may have been struck off since. It counts only when no voter has stayed, and all of them live
   * and have heard of its start: one that has not may have taken over before, and be dead by now.
   */
  next(self: MemberId, own: Roll, isReturning: boolean, start: number): MemberId | null {
    const others = [...this.#heard].filter(([member]) => member !== self && this.isLiving(member));
    const newest = others.reduce((best, [, { roll }]) => (roll !== null && isNewer(roll, best) ? roll : best), own);
    const isThere = (voter: MemberId) => voter === self || this.isLiving(voter);
    const isWhole = (voter: MemberId) => voter === self || this.#heard.get(voter)?.isWhole === true;
    const wasAway = (voter: MemberId) => (voter === self ? isReturning : this.#heard.get(voter)?.isReturning !== false);
    const knowsStart = (voter: MemberId) => voter === self || this.#heard.get(voter)?.heardStart === start;
    const living = newest.voters.filter(isThere);
    const whole = living.filter(isWhole);
    const stayed = whole.filter((voter) => !wasAway(voter));
    const areAllThere = living.length === newest.voters.length && living.every(knowsStart);
    const candidates = stayed.length === 0 && areAllThere ? whole : stayed;
    return candidates[0] ?? null;
  }
}

function isNewer(one: Roll, other: Roll): boolean {
  return one.term > other.term || (one.term === other.term && one.index > other.index);
}
