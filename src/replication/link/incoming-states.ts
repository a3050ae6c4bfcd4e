// Whole states that other members are sending, chunk by chunk. Only the last one that was begun counts: its sender is the latest
// leader, or will be told that it is not.
import { ServiceError } from '../../protocol/errors.js';
import { errorFields } from '../../runtime/caught-errors.js';
import type { Clock, Timer } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Log } from '../../runtime/log.js';
import type { Mark } from '../core/core.js';
import type { MemberId } from '../core/members.js';

/** Whoever sends no chunk for so long sends none any more. */
const SILENCE_LIMIT_MS = 30_000;

/** Takes a state; resolves when it is installed, or is not needed. */
export type TakeState = (from: MemberId, term: number, mark: Mark, chunks: AsyncIterable<Uint8Array>) => Promise<void>;

export class IncomingStates {
  readonly #states = new Map<number, IncomingState>();
  #next = 1;

  readonly #take: TakeState;
  readonly #runtime: { clock: Clock; log: Log };

  constructor(take: TakeState, runtime: { clock: Clock; log: Log }) {
    this.#take = take;
    this.#runtime = runtime;
  }

  /** @returns its number */
  begin(from: MemberId, term: number, mark: Mark): number {
    const number = this.#next++;
    const earlier = this.close();
    const state = new IncomingState(this.#runtime.clock);
    state.done = earlier.then(() => this.#take(from, term, mark, state.chunks()));
    state.done
      .catch((error: unknown) => {
        rethrowProgramFault(error);
        this.#runtime.log.warn('replication.state_not_received', { from, ...errorFields(error) });
      })
      .finally(() => state.close());
    this.#states.set(number, state);
    return number;
  }

  /** Resolves when there is room for the next chunk. Rejects with why the state can't be taken. */
  async chunk(number: number, bytes: Uint8Array): Promise<void> {
    await this.#state(number).add(bytes);
  }

  async end(number: number): Promise<void> {
    const state = this.#state(number);
    await state.add(null);
    await state.done;
    this.#states.delete(number);
  }

  /** Ends what is being received. Resolves when nothing of it is left. */
  async close(): Promise<void> {
    const states = [...this.#states.values()];
    this.#states.clear();
    for (const state of states) state.close();
    await Promise.allSettled(states.map(({ done }) => done));
  }

  #state(number: number): IncomingState {
    const state = this.#states.get(number);
    if (state === undefined) throw new ServiceError('REFUSED', 'no such state is being received');
    return state;
  }
}

class IncomingState {
  done: Promise<void> = Promise.resolve();
  /** null is the end. */
  #chunk: Uint8Array | null | undefined;
  #isClosed = false;
  #wakeReader: () => void = () => {};
  #wakeWriter: () => void = () => {};
  #timer: Timer | null = null;

  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async add(chunk: Uint8Array | null): Promise<void> {
    while (this.#chunk !== undefined && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        this.#wakeWriter = resolve;
      });
    }
    // It has failed: that is the answer.
    if (this.#isClosed) await this.done;
    this.#chunk = chunk;
    this.#wakeReader();
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = await this.#take();
      if (chunk === null) return;
      yield chunk;
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#wakeReader();
    this.#wakeWriter();
  }

  async #take(): Promise<Uint8Array | null> {
    const endMs = this.#clock.monotonicMs() + SILENCE_LIMIT_MS;
    while (this.#chunk === undefined) {
      if (this.#isClosed || this.#clock.monotonicMs() >= endMs) throw new Error('the rest of a state did not come');
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
        this.#timer = this.#clock.after(SILENCE_LIMIT_MS, resolve);
      });
      this.#timer?.cancel();
    }
    const chunk = this.#chunk;
    this.#chunk = undefined;
    this.#wakeWriter();
    return chunk;
  }
}
