// GET /metrics of a metaserver, as Prometheus text: what it was asked, how
// its commits go, and how much it holds.
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Statistics } from '../namespace/queries.js';

/** Seconds; a commit of a quick disk takes a third of a millisecond. */
const COMMIT_BUCKETS_SECONDS = [0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1];

/** Where a member of a group is. */
export interface GroupPlace {
  /** leader, follower … */
  role: string;
  term: number;
  lastIndex: number;
  committedIndex: number;
  appliedIndex: number;
  /** For how long this server may lack what is committed. */
  behindMs: number;
}

/** What a server says of its disk. */
export interface DiskRoom {
  /** Why it takes no changes; null when it does. */
  trouble: string | null;
  freeBytes: number;
  totalBytes: number;
}

const DISK: Readonly<Record<string, readonly [help: string, value: (room: DiskRoom) => number]>> = {
  trouble: ['1 when the disk takes no changes', ({ trouble }) => (trouble === null ? 0 : 1)],
  free_bytes: ['Room on the disk for more', ({ freeBytes }) => freeBytes],
  size_bytes: ['Size of the disk', ({ totalBytes }) => totalBytes],
};

const PLACES = {
  term: 'Term of Raft, or view',
  lastIndex: 'Last entry of the log here',
  committedIndex: 'Last entry that is known here to be committed',
  appliedIndex: 'Last entry that is applied here',
} as const;

export class Metrics {
  readonly #registry = new Registry();
  // Plain maps, copied into the counters on request: a labelled counter costs a tenth of a command.
  readonly #commands = new Map<string, { command: string; outcome: string; count: number }>();
  readonly #queries = new Map<string, number>();
  readonly #commits: Histogram;
  readonly #failedCommits: Counter;

  constructor(uncommittedRows: () => number, statistics: () => Statistics | undefined) {
    const registers = [this.#registry];
    const commands = this.#commands;
    new Counter({
      name: 'nmrfs_metadata_commands_total',
      help: 'Commands by name and by what came of them',
      labelNames: ['command', 'outcome'],
      registers,
      collect() {
        this.reset();
        for (const { command, outcome, count } of commands.values()) this.inc({ command, outcome }, count);
      },
    });
    const queries = this.#queries;
    new Counter({
      name: 'nmrfs_metadata_queries_total',
      help: 'Queries by name',
      labelNames: ['query'],
      registers,
      collect() {
        this.reset();
        for (const [query, count] of queries) this.inc({ query }, count);
      },
    });
    this.#commits = new Histogram({
      name: 'nmrfs_metadata_commit_wait_seconds',
      help: 'How long those who asked for durability waited for the disk',
      buckets: COMMIT_BUCKETS_SECONDS,
      registers,
    });
    this.#failedCommits = new Counter({
      name: 'nmrfs_metadata_failed_commits_total',
      help: 'Waits for the disk that ended with its failure',
      registers,
    });
    new Gauge({
      name: 'nmrfs_metadata_uncommitted_rows',
      help: 'Changed rows that are in memory only',
      registers,
      collect() {
        this.set(uncommittedRows());
      },
    });
    for (const what of ['inodes', 'blocks', 'bytes', 'garbage'] as const) {
      new Gauge({
        name: `nmrfs_metadata_${what}`,
        help:
          what === 'garbage' ? 'Versions that data servers have yet to forget' : `Number of ${what} in the namespace`,
        registers,
        collect() {
          this.set(statistics()?.[what] ?? 0);
        },
      });
    }
  }

  command(command: string, outcome: 'done' | 'refused' | 'failed'): void {
    const key = `${command} ${outcome}`;
    const entry = this.#commands.get(key);
    if (entry === undefined) this.#commands.set(key, { command, outcome, count: 1 });
    else entry.count++;
  }

  query(query: string): void {
    this.#queries.set(query, (this.#queries.get(query) ?? 0) + 1);
  }

  commit(waitedMs: number, outcome: 'done' | 'failed'): void {
    if (outcome === 'done') this.#commits.observe(waitedMs / 1000);
    else this.#failedCommits.inc();
  }

  /** @param disk where this server stores; the caller's promise must not reject */
  showGroup(place: () => GroupPlace, disk: () => Promise<DiskRoom>): void {
    const registers = [this.#registry];
    for (const [name, [help, value]] of Object.entries(DISK)) {
      new Gauge({
        name: `nmrfs_metadata_${name}`,
        help,
        registers,
        async collect() {
          this.set(value(await disk()));
        },
      });
    }
    new Gauge({
      name: 'nmrfs_group_role',
      help: '1 for what this server is in the group of metaservers',
      labelNames: ['role'],
      registers,
      collect() {
        this.reset();
        this.set({ role: place().role }, 1);
      },
    });
    new Gauge({
      name: 'nmrfs_group_behind_seconds',
      help: 'For how long this server lacks what it has heard to be committed, or has not heard of the leader',
      registers,
      collect() {
        this.set(place().behindMs / 1000);
      },
    });
    for (const [field, help] of Object.entries(PLACES) as [keyof typeof PLACES, string][]) {
      new Gauge({
        name: `nmrfs_group_${field.replace('Index', '_index')}`,
        help,
        registers,
        collect() {
          this.set(place()[field]);
        },
      });
    }
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
