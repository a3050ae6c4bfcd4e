// Counts of what happened since the mediator started; status and /metrics show
// them. Dissents and repairs are counted per replica (replicas/vote-record.ts).
import { Durations } from './durations.js';

export type CounterName =
  | 'reads'
  | 'votes'
  | 'readBytes'
  | 'readsAhead'
  | 'writes'
  | 'writeBytes'
  | 'commits'
  | 'commitConflicts'
  | 'noQuorums'
  | 'hedges'
  | 'writesRefused'
  | 'rebuiltBlocks'
  | 'caughtUpBlocks'
  | 'collectedVersions'
  | 'auditedBallots'
  | 'unauditedBallots'
  | 'repeatedCommands'
  | 'undoneCommands';

/** Numbers that are kept elsewhere and shown with the counters. */
export type DerivedCounts = Readonly<Record<'dissents' | 'repairs', number>>;

export class Counters {
  readonly #values = new Map<CounterName, number>();
  readonly #derived: () => DerivedCounts;
  /** Of whole reads and writes, as the mediator's clients wait for them. */
  readonly readDurations = new Durations();
  readonly writeDurations = new Durations();

  constructor(derived: () => DerivedCounts = () => ({ dissents: 0, repairs: 0 })) {
    this.#derived = derived;
  }

  add(name: CounterName, amount = 1): void {
    this.#values.set(name, (this.#values.get(name) ?? 0) + amount);
  }

  /** All counters that are not zero. */
  snapshot(): Record<string, number> {
    const derived = Object.entries(this.#derived()).filter(([, count]) => count > 0);
    return Object.fromEntries([...this.#values, ...derived]);
  }
}
