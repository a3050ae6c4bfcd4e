// Which mediator is the active one, as the server that leads knows it: others are
// refused, and it is known for how long the active one has said nothing.

import type { Tables } from '../namespace/state/tables.js';
import type { Fence } from '../protocol/services/fence.js';
import type { Commands } from '../protocol/services/metadata.js';
import type { Clock } from '../runtime/clock.js';

/** What a mediator asks for before it has an epoch. */
const BEFORE_AN_EPOCH: ReadonlySet<string> = new Set(['mediator', 'takeOver']);

export class ActiveMediator {
  #epoch: number;
  /** This server may have begun to lead since it was heard of. */
  #heardMs: number;

  readonly #tables: Tables;
  readonly #fence: Fence;
  readonly #clock: Clock;

  constructor(tables: Tables, fence: Fence, clock: Clock) {
    this.#tables = tables;
    this.#fence = fence;
    this.#clock = clock;
    this.#epoch = tables.mediator().epoch;
    this.#heardMs = clock.monotonicMs();
  }

  get silentMs(): number {
    return this.#clock.monotonicMs() - this.#heardMs;
  }

  /** Counts a call of the active one as a sign of life. @throws ServiceError FENCED for a call of an earlier one */
  admit(name: string, peer: object | undefined): void {
    if (BEFORE_AN_EPOCH.has(name) && this.#fence.epochOf(peer) === undefined) return;
    this.#fence.check(peer, this.#epoch);
    const epoch = this.#fence.epochOf(peer);
    if (epoch === undefined || epoch < this.#epoch) return;
    // A disk may not have taken the row of a later one.
    this.#epoch = epoch;
    this.#heardMs = this.#clock.monotonicMs();
  }

  /** Whether it was silent for long enough, or has resigned. */
  isVacantFor({ process, afterSilentMs }: Commands['takeOver']['request']): boolean {
    const last = this.#tables.mediator();
    return last.name === '' || last.process === process || this.silentMs >= afterSilentMs;
  }

  /** This server begins to answer: before that it could not hear anybody. */
  listen(): void {
    this.#heardMs = this.#clock.monotonicMs();
  }

  /** The row may have changed. */
  look(): void {
    const { epoch } = this.#tables.mediator();
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    this.#heardMs = this.#clock.monotonicMs();
  }
}
