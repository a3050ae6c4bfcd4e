// Counts of what happened since the mediator started; status and /metrics show them.

export type CounterName =
  | 'reads'
  | 'readBytes'
  | 'writes'
  | 'writeBytes'
  | 'commits'
  | 'commitConflicts'
  | 'dissents'
  | 'repairs'
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

export class Counters {
  readonly #values = new Map<CounterName, number>();

  add(name: CounterName, amount = 1): void {
    this.#values.set(name, (this.#values.get(name) ?? 0) + amount);
  }

  /** All counters that have moved. */
  snapshot(): Record<string, number> {
    return Object.fromEntries(this.#values);
  }
}
