// What the page shows of the active mediator: how the cluster is, and how it was
// in the last ten minutes.
import type { ClusterSnapshot, History } from '../../protocol/page/messages.js';
import type { AdminService } from '../../protocol/services/admin.js';
import type { Clock } from '../../runtime/clock.js';
import type { Counters } from '../counters.js';
import type { ReplicaSet } from '../replicas/replica-set.js';
import { PERIOD_MS, SampleHistory } from './history.js';
import type { PageProvider } from './served-page.js';

export interface MediatorPageParts {
  admin: AdminService;
  replicas: ReplicaSet;
  counters: Counters;
  testHooks: boolean;
  isSupervised: boolean;
  clock: Clock;
}

export class MediatorPage implements PageProvider {
  readonly questions = {};
  readonly changes = {};
  readonly #history: SampleHistory;
  readonly #parts: MediatorPageParts;

  constructor(parts: MediatorPageParts) {
    this.#parts = parts;
    this.#history = new SampleHistory(parts.counters, parts.clock);
  }

  /** Begins to keep the history. */
  start(): void {
    this.#history.start();
  }

  close(): void {
    this.#history.close();
  }

  history(): History {
    return { periodMs: PERIOD_MS, samples: [...this.#history.samples] };
  }

  async snapshot(): Promise<Omit<ClusterSnapshot, 'name' | 'timeMs'>> {
    const { admin, replicas, testHooks, isSupervised } = this.#parts;
    const status = await admin.status({});
    const dataservers = status.dataservers.map((server) => ({
      ...server,
      latencyMs: replicas.byName(server.name).latencyMs,
    }));
    const sample = this.#history.samples.at(-1) ?? null;
    return { ...status, dataservers, role: 'active', testHooks, isSupervised, sample };
  }
}
