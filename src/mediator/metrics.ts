// GET /metrics: the mediator's counters, and what it knows about the data servers, as Prometheus text.
// docs/monitoring.md describes each.
import { Counter, Gauge, Registry } from 'prom-client';
import type { Counters } from './counters.js';
import type { Kept } from './kept.js';
import { type QuorumSource, registerQuorumMetrics, registerReplicaMetrics } from './replica-metrics.js';
import type { Replica } from './replicas/replica.js';

export class Metrics {
  readonly #registry = new Registry();

  /** Counts of kept entries, by the part of this process that keeps them: the mediator, or a mount. */
  readonly #kept = new Map<string, () => Kept>();

  constructor(counters: Counters, replicas: readonly Replica[], quorums: QuorumSource, kept: () => Kept) {
    const registers = [this.#registry];
    const keepers = this.#kept;
    keepers.set('mediator', kept);
    new Gauge({
      name: 'nmrfs_kept_entries',
      help: 'What is kept in memory, in entries: by the mediator, and by the mount in its process',
      labelNames: ['by', 'what'],
      registers,
      collect() {
        this.reset();
        for (const [by, count] of keepers) {
          for (const [what, entries] of Object.entries(count())) this.set({ by, what }, entries);
        }
      },
    });
    new Counter({
      name: 'nmrfs_events_total',
      help: 'What happened since the mediator started, by kind',
      labelNames: ['event'],
      registers,
      collect() {
        this.reset();
        for (const [event, value] of Object.entries(counters.snapshot())) this.inc({ event }, value);
      },
    });
    registerReplicaMetrics(this.#registry, replicas);
    registerQuorumMetrics(this.#registry, quorums);
  }

  /** Adds what another part of this process keeps. */
  addKept(by: string, kept: () => Kept): void {
    this.#kept.set(by, kept);
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
