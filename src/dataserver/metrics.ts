// GET /metrics of a data server, as Prometheus text: what it was asked, and
// how its store does.
import { Counter, Gauge, Registry } from 'prom-client';
import type { GetResult, PutResult } from '../protocol/services/blocks.js';
import type { Store } from './store.js';

export class Metrics {
  readonly #registry = new Registry();
  // Plain maps, copied into the counters on request: a labelled counter costs more than the request.
  readonly #puts = new Map<string, number>();
  readonly #gets = new Map<string, number>();

  constructor(store: Store) {
    this.#byState('nmrfs_data_puts_total', 'Blocks put, by what came of them', this.#puts);
    this.#byState('nmrfs_data_gets_total', 'Blocks asked for, by what was answered', this.#gets);
    this.#gauge('nmrfs_data_blocks', 'Versions of blocks stored', () => store.blocks);
    this.#gauge('nmrfs_data_bytes', 'User bytes of those', () => store.bytes);
    this.#gauge('nmrfs_data_stored_bytes', 'Bytes of segment files, dead space included', () => store.storedBytes);
    this.#counter('nmrfs_data_syncs_total', 'Syncs of a segment, each for all who waited', () => store.syncs);
    this.#counter('nmrfs_data_direct_read_bytes_total', 'Bytes read past the page cache', () => store.directBytes);
    this.#counter('nmrfs_data_compacted_segments_total', 'Segments emptied and removed', () => store.compacted);
    this.#counter(
      'nmrfs_data_damaged_pages_total',
      'Pages found to be other bytes than stored',
      () => store.damagedPages,
    );
  }

  puts(results: readonly PutResult[]): void {
    for (const { state } of results) this.#puts.set(state, (this.#puts.get(state) ?? 0) + 1);
  }

  gets(results: readonly GetResult[]): void {
    for (const { state } of results) this.#gets.set(state, (this.#gets.get(state) ?? 0) + 1);
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #byState(name: string, help: string, counts: ReadonlyMap<string, number>): void {
    new Counter({
      name,
      help,
      labelNames: ['state'],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [state, count] of counts) this.inc({ state }, count);
      },
    });
  }

  #counter(name: string, help: string, value: () => number): void {
    new Counter({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.reset();
        this.inc(value());
      },
    });
  }

  #gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.set(value());
      },
    });
  }
}
