// GET /metrics: the mediator's counters and what it knows of each server, as
// Prometheus text.
import { Gauge, Registry } from 'prom-client';
import type { Counters } from './counters.js';
import type { ReplicaSet } from './replica-set.js';

export class Metrics {
  readonly #registry = new Registry();

  constructor(counters: Counters, replicas: ReplicaSet) {
    const registers = [this.#registry];
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

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
