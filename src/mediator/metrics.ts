// GET /metrics: the mediator's counters, and what it knows about each data server,
// as Prometheus text.
import { Gauge, Registry } from 'prom-client';
import type { Counters } from './counters.js';
import type { Kept } from './kept.js';
import type { ReplicaSet } from './replicas/replica-set.js';

export class Metrics {
  readonly #registry = new Registry();

  /** Counts of kept entries, by the part of this process that keeps them: the mediator, or a mount. */
  readonly #kept = new Map<string, () => Kept>();

  constructor(counters: Counters, replicas: ReplicaSet, kept: () => Kept) {
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
    new Gauge({
      name: 'nmrfs_events_total',
      help: 'What happened since the mediator started, by kind',
      labelNames: ['event'],
      registers,
      collect() {
        for (const [event, value] of Object.entries(counters.snapshot())) this.set({ event }, value);
      },
    });
    new Gauge({
      name: 'nmrfs_data_server_up',
      help: '1 when the data server can be reached and holds all blocks, 0.5 while it is rebuilt, 0 when it is down',
      labelNames: ['server'],
      registers,
      collect() {
        for (const { name, state } of replicas.replicas) {
          this.set({ server: name }, state === 'up' ? 1 : state === 'down' ? 0 : 0.5);
        }
      },
    });
    for (const what of ['dissents', 'repairs'] as const) {
      new Gauge({
        name: `nmrfs_data_server_${what}_total`,
        help: what === 'dissents' ? 'Ballots that lost a vote' : 'Versions that were put back',
        labelNames: ['server'],
        registers,
        collect() {
          for (const replica of replicas.replicas) this.set({ server: replica.name }, replica[what]);
        },
      });
    }
  }

  /** Adds what another part of this process keeps. */
  addKept(by: string, kept: () => Kept): void {
    this.#kept.set(by, kept);
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
