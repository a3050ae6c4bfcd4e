// How long a member has heard no leader, and for how long it goes on waiting.
import { assert } from '../../../runtime/assert.js';
import type { CoreSettings } from '../settings.js';

export class Silence {
  #ticks = 0;
  #patienceTicks = 0;
  /** Since its start the member has neither heard a leader nor waited for one as long as it must. */
  #isFresh: boolean;

  readonly #settings: CoreSettings;

  /** @param mayHaveHeard whether the member may have answered a leader right before its start */
  constructor(settings: CoreSettings, mayHaveHeard: boolean) {
    const { heartbeatTicks, electionTicks } = settings;
    assert(heartbeatTicks * 2 < electionTicks, 'two heartbeats fit into the shortest election time-out');
    this.#settings = settings;
    this.#isFresh = mayHaveHeard;
    this.wait();
  }

  /** @returns whether it has lasted too long */
  tick(): boolean {
    if (++this.#ticks >= this.#settings.electionTicks) this.#isFresh = false;
    return this.#ticks >= this.#patienceTicks;
  }

  /** Begins anew, for a time that is drawn anew: members that wait for the same time get in each other's way. */
  wait(): void {
    const { electionTicks, fraction } = this.#settings;
    this.#ticks = 0;
    this.#patienceTicks = electionTicks + Math.floor(fraction() * electionTicks);
  }

  /** A vote was given away: whoever got it has some time. */
  interrupt(): void {
    this.#ticks = 0;
  }

  /** The leader was heard. */
  end(): void {
    this.#ticks = 0;
    this.#isFresh = false;
  }

  /** Whether a leader may count on this member: it was heard less than an election time-out ago. */
  isShort(hasLeader: boolean): boolean {
    return (hasLeader || this.#isFresh) && this.#ticks < this.#settings.electionTicks;
  }
}
