// Since when each follower may lack what is committed, as the leader sees it. A follower can't know: it hears of what is committed only
// as far as it has it.
import type { Clock } from '../../runtime/clock.js';
import type { MemberProgress } from '../core/core.js';
import type { MemberId } from '../core/members.js';

export class Lags {
  /** When a follower had last everything that was committed; or when it was seen first. */
  readonly #currentMs = new Map<MemberId, number>();

  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** To be called often while this member leads. */
  look(followers: readonly MemberProgress[], committed: number): void {
    const nowMs = this.#clock.monotonicMs();
    const gone = new Set(this.#currentMs.keys());
    for (const { member, matched } of followers) {
      gone.delete(member);
      if (matched >= committed || !this.#currentMs.has(member)) this.#currentMs.set(member, nowMs);
    }
    for (const member of gone) this.#currentMs.delete(member);
  }

  /** It does not lead any more. */
  clear(): void {
    this.#currentMs.clear();
  }

  /** Milliseconds, of all that were looked at. */
  get all(): { id: MemberId; ms: number }[] {
    const nowMs = this.#clock.monotonicMs();
    return [...this.#currentMs].map(([id, sinceMs]) => ({ id, ms: nowMs - sinceMs }));
  }
}
