// Garbage collection: versions that no block map holds any more are forgotten
// by every data server, then the metaserver forgets that there was something
// to forget. A server that is down keeps its share until it is back.
import { FileError } from '../protocol/errors.js';
import type { GarbageEntry, MetadataService } from '../protocol/metadata.js';
import type { Runtime } from '../runtime/runtime.js';
import { Background, type NextRunMs } from './background.js';
import type { Counters } from './counters.js';
import type { ReplicaSet } from './replica-set.js';

const BATCH_ENTRIES = 2000;
/** New garbage waits this long, so that many deletions share a message, and late readers find their version. */
const DELAY_MS = 250;

export class GarbageCollector {
  readonly #task: Background;
  /** Files without a name that some client still has open. */
  readonly #held = new Set<number>();

  constructor(
    private readonly metadata: MetadataService,
    private readonly replicas: ReplicaSet,
    private readonly counters: Counters,
    private readonly runtime: Runtime,
  ) {
    this.#task = new Background('garbage', () => this.#collect(), runtime);
    replicas.onChange((replica) => {
      if (replica.reachable) this.#task.wake();
    });
  }

  /** There is new garbage, or there may be. */
  wake(): void {
    this.#task.wake(DELAY_MS);
  }

  close(): Promise<void> {
    return this.#task.close();
  }

  async #collect(): Promise<NextRunMs> {
    await this.#purgeOrphans();
    for (let after = 0; !this.#task.closed; ) {
      const { entries } = await this.metadata.query({ name: 'garbage', request: { after, limit: BATCH_ENTRIES } });
      const last = entries.at(-1);
      if (last === undefined) return null;
      after = last.sequence;
      if (!(await this.#forget(entries))) return null;
    }
    return null;
  }

  /** Tells all servers; only when every one of them has obeyed is the entry done with. */
  async #forget(entries: readonly GarbageEntry[]): Promise<boolean> {
    const items = entries.map(({ inode, index, version }) => ({ inode, index, version }));
    const obeyed = await Promise.all(
      this.replicas.replicas.map(async (replica) => {
        if (!replica.reachable) return false;
        try {
          await replica.call(() => replica.blocks.delete({ items }));
          return true;
        } catch (error) {
          this.runtime.log.debug('garbage.unanswered', { server: replica.name, reason: String(error) });
          return false;
        }
      }),
    );
    // A server that is away learns of all of it when it returns: its change of state wakes this task.
    if (!obeyed.every(Boolean)) return false;
    await this.metadata.execute({
      name: 'collected',
      timeNs: this.runtime.clock.nowNs(),
      request: { sequences: entries.map((entry) => entry.sequence) },
      durable: false,
    });
    this.counters.add('collectedVersions', entries.length);
    return true;
  }

  async #purgeOrphans(): Promise<void> {
    const { inodes } = await this.metadata.query({ name: 'orphans', request: { limit: 1000 } });
    for (const inode of inodes) {
      if (this.#held.has(inode)) continue;
      await purge(this.metadata, this.runtime, inode);
    }
  }

  /** A client has the file open although its last name is gone: it is kept until `release`. */
  hold(inode: number): void {
    this.#held.add(inode);
  }

  /** The last client has closed it. A file that still has a name stays. */
  async release(inode: number): Promise<void> {
    if (!this.#held.delete(inode)) return;
    try {
      await purge(this.metadata, this.runtime, inode);
    } catch (error) {
      if (!(error instanceof FileError && error.code === 'EINVAL')) throw error;
    }
    this.wake();
  }
}

async function purge(metadata: MetadataService, runtime: Runtime, inode: number): Promise<void> {
  for (;;) {
    const { done } = await metadata.execute({
      name: 'purge',
      timeNs: runtime.clock.nowNs(),
      request: { inode },
      durable: false,
    });
    if (done) return;
  }
}
