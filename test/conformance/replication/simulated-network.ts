// A network that loses, repeats, delays and overtakes, and whose links are cut, in one direction or in both.
import type { Entry, Envelope } from '../../../src/replication/core/core.js';
import type { MemberId } from '../../../src/replication/core/members.js';
import type { SeededRandom } from '../../simulation/world/seeded-random.js';
import type { Faults } from './faults.js';
import type { State } from './simulated-member.js';

export interface Transit {
  dueAt: number;
  message: Envelope & { entries?: readonly Entry[] };
  state?: State;
}

export class SimulatedNetwork {
  #inTransit: Transit[] = [];
  /** Links that carry nothing, as FROM>TO. */
  #cut = new Set<string>();

  readonly #random: SeededRandom;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  carry(now: number, faults: Faults, message: Envelope, state?: State): void {
    const times = this.#random.chance(faults.repetition) ? 2 : 1;
    for (let copy = 0; copy < times; copy++) {
      if (this.#random.chance(faults.loss)) continue;
      const dueAt = now + this.#random.between(0, faults.longestDelay);
      this.#inTransit.push(state === undefined ? { dueAt, message } : { dueAt, message, state });
    }
  }

  /** What arrives by now. What arrives on a link that is cut is lost. */
  takeDue(now: number): Transit[] {
    const due: Transit[] = [];
    const later: Transit[] = [];
    for (const transit of this.#inTransit) {
      const { from, to } = transit.message;
      if (transit.dueAt > now) later.push(transit);
      else if (this.#cut.size === 0 || !this.#cut.has(`${from}>${to}`)) due.push(transit);
    }
    this.#inTransit = later;
    return due;
  }

  /** Heals what is cut, and mostly cuts other links. */
  partition(all: readonly MemberId[]): void {
    this.heal();
    if (this.#random.chance(0.4)) return;
    const isOneWay = this.#random.chance(0.3);
    const side = new Set(all.filter(() => this.#random.chance(0.5)));
    for (const from of all) {
      for (const to of all) {
        if (side.has(from) === side.has(to)) continue;
        if (isOneWay && side.has(from)) continue;
        // Some links of a partial partition go on working.
        if (!this.#random.chance(0.1)) this.#cut.add(`${from}>${to}`);
      }
    }
  }

  heal(): void {
    this.#cut.clear();
  }
}
