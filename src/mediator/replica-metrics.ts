// What a mediator knows about its data servers, as metrics: each one's state, and whether there are quorums.
import { Counter, Gauge, type Registry } from 'prom-client';
import { dataServerStatus, takingNow, votingNow } from './admin/cluster-status.js';
import type { Replica } from './replicas/replica.js';
import type { MediatorSettings } from './settings.js';

export interface QuorumSource {
  settings: Pick<MediatorSettings, 'readQuorum' | 'writeQuorum'>;
  replicas: readonly Replica[];
  /** Whether a metaserver leads, as far as is known without asking. */
  hasMetadata: () => boolean;
}

type Value = (replica: Replica) => number | undefined;

/** Gauges of which each data server has one; it has none while the value is unknown. */
const GAUGES: Readonly<Record<string, readonly [help: string, value: Value]>> = {
  up: [
    '1 when the data server can be reached and holds all blocks, 0.5 while it is rebuilt, 0 when it is down',
    ({ state }) => (state === 'up' ? 1 : state === 'down' ? 0 : 0.5),
  ],
  trouble: [
    '1 when the data server answers and takes no changes, since its disk is full, read-only or failing',
    ({ state, store }) => (state === 'down' ? undefined : store?.trouble == null ? 0 : 1),
  ],
  latency_seconds: ['Moving average of its block reads', ({ latencyMs }) => latencyMs / 1000],
  blocks: ['Versions of blocks that it stores', ({ store }) => store?.blocks],
  bytes: ['User bytes of those', ({ store }) => store?.bytes],
  free_bytes: ['Room on its disk for more, as it has said last', ({ store }) => store?.freeBytes],
  size_bytes: ['Size of its disk', ({ store }) => store?.totalBytes],
  rebuild_done_blocks: [
    'Blocks that its rebuild has brought; absent when none is under way',
    ({ rebuild }) => rebuild?.done,
  ],
  rebuild_all_blocks: ['Blocks that its rebuild has to bring', ({ rebuild }) => rebuild?.total],
};

const COUNTERS = { dissents: 'Ballots that lost a vote', repairs: 'Versions that were put back' } as const;

export function registerReplicaMetrics(registry: Registry, replicas: readonly Replica[]): void {
  const common = { labelNames: ['server'], registers: [registry] };
  for (const [name, [help, value]] of Object.entries(GAUGES)) {
    new Gauge({
      ...{ name: `nmrfs_data_server_${name}`, help, ...common },
      collect() {
        this.reset();
        for (const replica of replicas) {
          const known = value(replica);
          if (known !== undefined) this.set({ server: replica.name }, known);
        }
      },
    });
  }
  for (const [what, help] of Object.entries(COUNTERS) as [keyof typeof COUNTERS, string][]) {
    new Counter({
      ...{ name: `nmrfs_data_server_${what}_total`, help, ...common },
      collect() {
        this.reset();
        for (const replica of replicas) this.inc({ server: replica.name }, replica[what]);
      },
    });
  }
}

export function registerQuorumMetrics(registry: Registry, { settings, replicas, hasMetadata }: QuorumSource): void {
  const registers = [registry];
  const servers = () => replicas.map((replica) => dataServerStatus(replica, null));
  const gauge = (name: string, help: string, value: () => number): void => {
    new Gauge({
      ...{ name, help, registers },
      collect() {
        this.set(value());
      },
    });
  };
  gauge('nmrfs_read_quorum', 'How many data servers must agree on a read', () => settings.readQuorum);
  gauge('nmrfs_write_quorum', 'How many data servers must store a write', () => settings.writeQuorum);
  gauge('nmrfs_readable', '1 when a metaserver leads and enough data servers can vote', () =>
    hasMetadata() && votingNow(servers()).length >= settings.readQuorum ? 1 : 0,
  );
  gauge('nmrfs_writable', '1 when a metaserver leads and enough data servers can store', () =>
    hasMetadata() && takingNow(servers()).length >= settings.writeQuorum ? 1 : 0,
  );
}
