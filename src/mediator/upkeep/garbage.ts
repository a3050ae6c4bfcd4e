// Garbage collection: versions that no block map holds any more are forgotten
// by every data server, then the metaserver forgets that there was something
// to forget. A server that is down keeps its share until it is back.
import { FileError } from '../../protocol/errors.js';
import type { GarbageEntry, MetadataService } from '../../protocol/services/metadata.js';
import { SESSION_GRACE_MS } from '../../protocol/services/sessions.js';
import { errorFields } from '../../runtime/caught-errors.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { Counters } from '../counters.js';
import type { Replica } from '../replicas/replica.js';
import type { ReplicaSet } from '../replicas/replica-set.js';
import { Background, type NextRunMs } from './background.js';

const BATCH_ENTRIES = 2000;
/** After a server failed that can be reached all the same; one that is away wakes this task when it returns. */
const RETRY_MS = 5000;
/** A commit that took effect although its answer was lost leaves garbage that nobody reports. */
const IDLE_MS = 30_000;
/**
 * New garbage waits this long, so that many deletions share a message, and late readers find their version. With 250 ms, a
 * burst of a thousand deletions took a fifth longer.
 */
const DELAY_MS = 1000;
/** The same when the store is full: a program that tries over and over does not keep everybody busy. */
const HURRIED_DELAY_MS = 100;

export class GarbageCollector {
  readonly #task: Background;
  /** The garbage up to this sequence number is forgotten by that server. */
  readonly #obeyedUpTo = new Map<Replica, number>();
  /** Grows when that must be forgotten, so that a pass that began before does not bring it back. */
  #era = 0;
  /** Clients that had files without a name open say so within their grace after a start; until then such files stay. */
  readonly #startMs: number;
  /** Files without a name that some client still has open. */
  readonly #held = new Set<number>();
  /** Files that may be without a name and held already, while nobody knows it yet; null: any. */
  readonly #spared = new Set<{ inodes: readonly number[] | null }>();

  readonly #metadata: MetadataService;
  readonly #replicas: ReplicaSet;
  readonly #counters: Counters;
  readonly #runtime: Runtime;
  /** The file is gone, and all its blocks. */
  readonly #purged: (inode: number) => void;

  constructor(
    metadata: MetadataService,
    replicas: ReplicaSet,
    counters: Counters,
    runtime: Runtime,
    purged: (inode: number) => void,
  ) {
    this.#metadata = metadata;
    this.#replicas = replicas;
    this.#counters = counters;
    this.#runtime = runtime;
    this.#purged = purged;
    this.#startMs = runtime.clock.monotonicMs();
    this.#task = new Background('garbage', () => this.#collect(), runtime);
    replicas.onChange((replica) => {
      if (replica.reachable) this.#task.wake();
    });
  }

  /** Files without a name that are held. */
  get heldFiles(): number {
    return this.#held.size;
  }

  /** There is new garbage, or there may be. */
  wake(): void {
    this.#task.wake(DELAY_MS);
  }

  /** Somebody found no room: what can be had is needed now. */
  hurry(): void {
    this.#task.wake(HURRIED_DELAY_MS);
  }

  /** The metaserver may have crashed, and what was collected may have come back: all servers are told of everything again. */
  startOver(): void {
    this.#obeyedUpTo.clear();
    this.#era++;
    this.#task.wake(DELAY_MS);
  }

  close(): Promise<void> {
    return this.#task.close();
  }

  /** One pass over the garbage that some reachable server has not been told of yet. */
  async #collect(): Promise<NextRunMs> {
    const graceLeftMs = this.#startMs + SESSION_GRACE_MS - this.#runtime.clock.monotonicMs();
    let failure: unknown;
    // What keeps files from being purged keeps no versions from being collected.
    if (graceLeftMs <= 0) await this.#purgeOrphans().catch((error: unknown) => (failure = error));
    const era = this.#era;
    const listening = new Set(this.#replicas.reachable());
    let after = Math.min(...[...listening].map((replica) => this.#obeyed(replica)));
    while (!this.#task.closed && listening.size > 0) {
      const { entries } = await this.#metadata.query({ name: 'garbage', request: { after, limit: BATCH_ENTRIES } });
      const last = entries.at(-1);
      if (last === undefined) break;
      if (era !== this.#era) return 0;
      after = last.sequence;
      await Promise.all(
        [...listening].map(async (replica) => {
          if (!(await this.#forget(replica, entries, last.sequence))) listening.delete(replica);
        }),
      );
      if (era !== this.#era) return 0;
      await this.#collected(entries);
    }
    if (failure !== undefined) throw failure;
    const nextMs = this.#replicas.reachable().every((replica) => listening.has(replica)) ? IDLE_MS : RETRY_MS;
    return graceLeftMs > 0 ? Math.min(nextMs, graceLeftMs) : nextMs;
  }

  #obeyed(replica: Replica): number {
    return this.#obeyedUpTo.get(replica) ?? 0;
  }

  async #forget(replica: Replica, entries: readonly GarbageEntry[], last: number): Promise<boolean> {
    const era = this.#era;
    const items = entries
      .filter(({ sequence }) => sequence > this.#obeyed(replica))
      .map(({ inode, index, version }) => ({ inode, index, version }));
    try {
      if (items.length > 0) await replica.call(() => replica.blocks.delete({ items }));
    } catch (error) {
      this.#runtime.log.debug('garbage.unanswered', { server: replica.name, ...errorFields(error) });
      return false;
    }
    if (era === this.#era) this.#obeyedUpTo.set(replica, Math.max(last, this.#obeyed(replica)));
    return true;
  }

  /** What every server has forgotten, whether it is here now or not, is done with. */
  async #collected(entries: readonly GarbageEntry[]): Promise<void> {
    const everywhere = Math.min(...this.#replicas.replicas.map((replica) => this.#obeyed(replica)));
    const sequences = entries.map(({ sequence }) => sequence).filter((sequence) => sequence <= everywhere);
    if (sequences.length === 0) return;
    const timeNs = this.#runtime.clock.nowNs();
    try {
      await this.#metadata.execute({ name: 'collected', timeNs, request: { sequences }, durable: false });
    } catch (error) {
      // A refusal was not carried out, and the next pass asks again. Otherwise nobody knows: the servers are told again, since a
      // metaserver that crashed may have lost more than this.
      if (!(error instanceof FileError)) this.startOver();
      throw error;
    }
    this.#counters.add('collectedVersions', sequences.length);
  }

  async #purgeOrphans(): Promise<void> {
    const { inodes } = await this.#metadata.query({ name: 'orphans', request: { limit: 1000 } });
    for (const inode of inodes) {
      // A later pass sees to what is spared.
      if (this.#held.has(inode) || this.#isSpared(inode)) continue;
      await this.#purge(inode);
    }
  }

  /** A client has the file open although its last name is gone: it is kept until `release`. */
  hold(inode: number): void {
    this.#held.add(inode);
  }

  /**
   * While `work` makes files that are without a name, or takes their last name, and holds them, none of them is purged that is
   * not known to be held. @param inodes which may be concerned; null when nobody knows
   */
  async sparing<T>(inodes: readonly number[] | null, work: () => Promise<T>): Promise<T> {
    if (inodes?.length === 0) return work();
    const spared = { inodes };
    this.#spared.add(spared);
    try {
      return await work();
    } finally {
      this.#spared.delete(spared);
      this.#task.wake(DELAY_MS);
    }
  }

  #isSpared(inode: number): boolean {
    for (const { inodes } of this.#spared) if (inodes === null || inodes.includes(inode)) return true;
    return false;
  }

  /** The last client has closed it. A file that still has a name stays. */
  async release(inode: number): Promise<void> {
    if (!this.#held.delete(inode)) return;
    try {
      await this.#purge(inode);
    } catch (error) {
      if (!(error instanceof FileError && error.code === 'EINVAL')) throw error;
    }
    this.wake();
  }

  /** Fails with EINVAL when it has a name. */
  async #purge(inode: number): Promise<void> {
    try {
      for (let done = false; !done; ) {
        ({ done } = await this.#metadata.execute({
          name: 'purge',
          timeNs: this.#runtime.clock.nowNs(),
          request: { inode },
          durable: false,
        }));
      }
    } finally {
      // One that failed may have been carried out.
      this.#purged(inode);
    }
  }
}
