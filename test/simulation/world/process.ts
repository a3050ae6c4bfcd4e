// A process on the virtual clock: everything it will do later goes through
// `after`, so that at its death all of that dies at once, and while it is
// stopped (SIGSTOP) all of that waits.
import type { Clock, Timer } from '../../../src/runtime/clock.js';
import type { Log, LogFields } from '../../../src/runtime/log.js';
import type { Random } from '../../../src/runtime/random.js';
import type { Scheduler } from './scheduler.js';
import type { SeededRandom } from './seeded-random.js';

/** Where the virtual wall clock starts: 2026-01-01. */
const EPOCH_NS = 1_767_225_600_000_000_000n;

export type LogLevel = keyof Log;
export type LogReceiver = (process: SimulatedProcess, level: LogLevel, event: string, fields: LogFields) => void;

export class SimulatedProcess {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  #state: 'running' | 'stopped' | 'dead' = 'running';
  /** What would have happened while it was stopped, in order. */
  #backlog: (() => void)[] = [];
  readonly #atDeath = new Set<() => void>();

  readonly #scheduler: Scheduler;
  readonly #noted: ((state: 'stops' | 'goes on') => void) | undefined;

  /**
   * @param host whose process it is: data1, meta1, mediator …
   * @param skewNs how far its host's wall clock is off just now
   * @param noted is told when it is stopped and when it goes on
   */
  constructor(
    readonly host: string,
    scheduler: Scheduler,
    random: SeededRandom,
    skewNs: () => bigint,
    receiveLog: LogReceiver,
    noted?: (state: 'stops' | 'goes on') => void,
  ) {
    this.#scheduler = scheduler;
    this.#noted = noted;
    this.random = random;
    const startUs = scheduler.nowUs;
    this.clock = {
      nowNs: () => EPOCH_NS + BigInt(scheduler.nowUs) * 1000n + skewNs(),
      monotonicMs: () => (scheduler.nowUs - startUs) / 1000,
      // Never too early: whoever waits for what is left of a time would wait again, for ever at the same moment.
      after: (delayMs, action) => this.after(Math.ceil(delayMs * 1000), action),
      afterTurn: (action) => {
        this.after(0, action);
      },
    };
    const receive =
      (level: LogLevel) =>
      (event: string, fields: LogFields = {}) => {
        if (this.#state !== 'dead') receiveLog(this, level, event, fields);
      };
    this.log = { debug: receive('debug'), info: receive('info'), warn: receive('warn'), error: receive('error') };
  }

  get isDead(): boolean {
    return this.#state === 'dead';
  }

  get isStopped(): boolean {
    return this.#state === 'stopped';
  }

  /** Runs `action` after `delayUs` microseconds as a part of this process: never once it is dead, later when it is stopped. */
  after(delayUs: number, action: () => void): Timer {
    let isCancelled = false;
    const inProcess = () => {
      if (!isCancelled) action();
    };
    const timer = this.#scheduler.after(delayUs, () => {
      if (this.#state === 'stopped') this.#backlog.push(inProcess);
      else if (this.#state === 'running') inProcess();
    });
    return {
      cancel() {
        isCancelled = true;
        timer.cancel();
      },
    };
  }

  /** Calls `action` when the process dies; returns a function that forgets it. */
  onDeath(action: () => void): () => void {
    this.#atDeath.add(action);
    return () => this.#atDeath.delete(action);
  }

  stop(): void {
    if (this.#state !== 'running') return;
    this.#state = 'stopped';
    this.#noted?.('stops');
  }

  /** Goes on after a stop. What has piled up happens now, in order, each with its promises before the next. */
  resume(): void {
    if (this.#state !== 'stopped') return;
    this.#state = 'running';
    this.#noted?.('goes on');
    const backlog = this.#backlog;
    this.#backlog = [];
    for (const action of backlog) this.after(0, action);
  }

  kill(): void {
    if (this.#state === 'dead') return;
    this.#state = 'dead';
    this.#backlog = [];
    for (const action of this.#atDeath) action();
    this.#atDeath.clear();
  }
}
