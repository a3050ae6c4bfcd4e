// Garbage collection: every data server forgets the versions that no block map
// names any more, then the metaserver drops them from its list. What a server
// that is down has to forget stays on the list until it is back.
import { FileError } from '../../protocol/errors.js';
import type { GarbageEntry, MetadataService } from '../../protocol/services/metadata.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { sleep } from '../../runtime/clock.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { Counters } from '../counters.js';
import type { Replica } from '../replicas/replica.js';
import type { ReplicaSet } from '../replicas/replica-set.js';
import { Background, type NextRunMs } from './background.js';
import type { Orphans } from './orphans.js';

const BATCH_ENTRIES = 2000;
/** After a reachable server has failed, or the metaserver has refused; one that is down wakes this task when it returns. */
const RETRY_MS = 5000;
/** Without a cause: a commit that took effect although its answer was lost leaves garbage that nobody reports. */
const IDLE_MS = 30_000;
/**
 * New garbage waits this long, a pause included, so that many deletions share a message, and late readers find their version. With 250 ms, a
 * burst of a thousand deletions took a fifth longer.
 */
const DELAY_MS = 1000;
/** It begins in a pause, when no request has come for so long; or after so long without one. */
const PAUSE_MS = 100;
const LONGEST_WAIT_MS = 4000;
/** Instead of DELAY_MS, and without a pause, when the store is full: a program that tries over and over does not keep everybody busy. */
const HURRIED_DELAY_MS = 100;

interface Dependencies {
  metadata: MetadataService;
  replicas: ReplicaSet;
  orphans: Orphans;
  counters: Counters;
  runtime: Runtime;
  /** Requests that have come so far, reads too. */
  requests(): number;
}

export class GarbageCollector {
  readonly #task: Background;
  /** Each server has forgotten the garbage up to this sequence number. */
  readonly #forgottenUpTo = new Map<Replica, number>();
  /** The metaserver may still list what all servers have forgotten, from after this sequence number on; null: it does not. */
  #undroppedAfter: number | null = null;
  /** Grows when `#forgottenUpTo` is cleared: a pass of an earlier epoch must not fill it again. */
  #epoch = 0;
  #isHurried = false;

  readonly #metadata: MetadataService;
  readonly #replicas: ReplicaSet;
  readonly #orphans: Orphans;
  readonly #counters: Counters;
  readonly #runtime: Runtime;
  readonly #requests: () => number;

  constructor({ metadata, replicas, orphans, counters, runtime, requests }: Dependencies) {
    this.#requests = requests;
    this.#metadata = metadata;
    this.#replicas = replicas;
    this.#orphans = orphans;
    this.#counters = counters;
    this.#runtime = runtime;
    this.#task = new Background('garbage', () => this.#collect(), runtime);
    replicas.onChange((replica) => {
      if (replica.reachable) this.#task.wake();
    });
  }

  /** There may be new garbage, or an orphan that may be purged. */
  wake(): void {
    this.#task.wake(DELAY_MS - PAUSE_MS);
  }

  /** A request found no room: collects sooner. */
  hurry(): void {
    this.#isHurried = true;
    this.#task.wake(HURRIED_DELAY_MS);
  }

  /** The metaserver may have crashed and list again what was collected: tells all servers of everything again. */
  startOver(): void {
    this.#forgottenUpTo.clear();
    this.#epoch++;
    this.#task.wake(DELAY_MS - PAUSE_MS);
  }

  close(): Promise<void> {
    return this.#task.close();
  }

  /** One pass over the garbage that some reachable server has not been told of yet; what is made meanwhile wakes it again. */
  async #collect(): Promise<NextRunMs> {
    const isInGrace = this.#orphans.graceLeftMs > 0;
    const isPurged = isInGrace || (await this.#orphans.purgeUnheld(() => this.#task.closed));
    // Most writes leave no garbage. The wait for a pause begins when there is some.
    let answering = new Set(this.#replicas.reachable());
    let isMore = answering.size > 0 && (await this.#list(this.#untoldAfter(answering), 1)).length > 0;
    if (isMore) {
      await this.#untilPause();
      answering = new Set(this.#replicas.reachable());
    }
    this.#isHurried = false;
    const epoch = this.#epoch;
    let isDropped = true;
    let after = this.#untoldAfter(answering);
    while (isMore && !this.#task.closed && answering.size > 0) {
      const entries = await this.#list(after, BATCH_ENTRIES);
      isMore = entries.length === BATCH_ENTRIES;
      const last = entries.at(-1);
      if (last === undefined) break;
      if (epoch !== this.#epoch) return 0;
      const before = after;
      after = last.sequence;
      await Promise.all(
        [...answering].map(async (replica) => {
          if (!(await this.#forget(replica, entries, last.sequence))) answering.delete(replica);
        }),
      );
      if (epoch !== this.#epoch) return 0;
      // A metaserver whose disk is full or fails would refuse the next, too. The servers gain room all the same.
      if (isDropped) isDropped = await this.#dropForgotten(entries, before);
      if (!isDropped) after = Math.max(after, this.#forgottenByAll(answering));
    }
    if (isDropped && !isMore && answering.size > 0) this.#undroppedAfter = null;
    const isTold = this.#replicas.reachable().every((replica) => answering.has(replica));
    const nextMs = isPurged && isDropped && isTold ? IDLE_MS : RETRY_MS;
    return isInGrace ? Math.min(nextMs, Math.max(0, this.#orphans.graceLeftMs)) : nextMs;
  }

  /** Whoever deletes many files needs the servers for that first. */
  async #untilPause(): Promise<void> {
    const { clock } = this.#runtime;
    const endMs = clock.monotonicMs() + LONGEST_WAIT_MS;
    while (!this.#isHurried && !this.#task.closed && clock.monotonicMs() < endMs) {
      const requests = this.#requests();
      await sleep(clock, PAUSE_MS);
      if (this.#requests() === requests) return;
    }
  }

  async #list(after: number, limit: number): Promise<readonly GarbageEntry[]> {
    return (await this.#metadata.query({ name: 'garbage', request: { after, limit } })).entries;
  }

  /** The sequence number after which something may be left to do with these servers. */
  #untoldAfter(replicas: Iterable<Replica>): number {
    return Math.min(this.#undroppedAfter ?? Number.POSITIVE_INFINITY, this.#forgottenByAll(replicas));
  }

  #forgottenBy(replica: Replica): number {
    return this.#forgottenUpTo.get(replica) ?? 0;
  }

  #forgottenByAll(replicas: Iterable<Replica>): number {
    let least = Number.POSITIVE_INFINITY;
    for (const replica of replicas) least = Math.min(least, this.#forgottenBy(replica));
    return least;
  }

  /** Has the server forget these versions; whether it has answered. @param last the highest sequence number among them */
  async #forget(replica: Replica, entries: readonly GarbageEntry[], last: number): Promise<boolean> {
    const epoch = this.#epoch;
    const items = entries
      .filter(({ sequence }) => sequence > this.#forgottenBy(replica))
      .map(({ inode, index, version }) => ({ inode, index, version }));
    try {
      if (items.length > 0) await replica.call(() => replica.blocks.delete({ items }));
    } catch (error) {
      this.#runtime.log.debug('garbage.unanswered', { server: replica.name, ...errorFields(error) });
      return false;
    }
    if (epoch === this.#epoch) this.#forgottenUpTo.set(replica, Math.max(last, this.#forgottenBy(replica)));
    return true;
  }

  /**
   * Drops from the metaserver's list what all servers have forgotten, those that are down included. If that fails, no server is
   * told again: a later pass asks the metaserver again. @returns false when the metaserver refuses
   * @param before the sequence number before the first entry
   */
  async #dropForgotten(entries: readonly GarbageEntry[], before: number): Promise<boolean> {
    const everywhere = this.#forgottenByAll(this.#replicas.replicas);
    const sequences = entries.map(({ sequence }) => sequence).filter((sequence) => sequence <= everywhere);
    if (sequences.length === 0) return true;
    const timeNs = this.#runtime.clock.nowNs();
    try {
      await this.#metadata.execute({ name: 'collected', timeNs, request: { sequences }, durable: false });
    } catch (error) {
      // If it was carried out and only the answer was lost, it does no harm to ask again.
      this.#undroppedAfter = Math.min(before, this.#undroppedAfter ?? before);
      if (!(error instanceof FileError)) throw error;
      this.#runtime.log.warn('garbage.refused', errorFields(error));
      return false;
    }
    this.#counters.add('collectedVersions', sequences.length);
    return true;
  }
}
