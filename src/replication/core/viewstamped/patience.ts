// How long a member has heard no primary, and how long it goes on waiting for one. Times are in ticks.
import { assert } from '../../../runtime/assert.js';
import type { CoreSettings } from '../settings.js';

export class Patience {
  #ticks = 0;
  /** When it heard the primary last. It may have answered a heartbeat just before it started. */
  #ledAt = 0;
  /** When it saw last that a view begins. */
  #hopeAt = Number.NEGATIVE_INFINITY;
  #waitsSince = 0;
  #patienceTicks = 0;

  readonly #settings: CoreSettings;

  constructor(settings: CoreSettings) {
    const { heartbeatTicks, electionTicks } = settings;
    assert(heartbeatTicks * 2 < electionTicks, 'two heartbeats fit into the shortest election time-out');
    this.#settings = settings;
    this.reset();
  }

  tick(): void {
    this.#ticks++;
  }

  get isOver(): boolean {
    return this.#ticks - this.#waitsSince >= this.#patienceTicks;
  }

  get isTimeToRepeat(): boolean {
    return (this.#ticks - this.#waitsSince) % this.#settings.heartbeatTicks === 0;
  }

  /** Whether a primary may count on this member: it answers reads by a lease that is no longer than this. */
  get mayBeLed(): boolean {
    return this.#ticks - this.#ledAt < this.#settings.electionTicks;
  }

  get hasHopeLately(): boolean {
    return this.#ticks - this.#hopeAt < this.#settings.electionTicks;
  }

  /** Waits as long again; how long is drawn anew. */
  reset(): void {
    const { electionTicks, fraction } = this.#settings;
    this.#waitsSince = this.#ticks;
    this.#patienceTicks = electionTicks + Math.floor(fraction() * electionTicks);
  }

  /** The primary is there. */
  led(): void {
    this.#ledAt = this.#ticks;
    this.#waitsSince = this.#ticks;
  }

  /** A view is about to begin. */
  hope(): void {
    this.#hopeAt = this.#ticks;
    this.reset();
  }

  /** It was the primary itself, and is it no more. */
  released(): void {
    this.#ledAt = Number.NEGATIVE_INFINITY;
    this.reset();
  }
}
