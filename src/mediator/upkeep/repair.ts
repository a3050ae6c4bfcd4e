// Repair: puts the bytes that won a vote on replicas that lost it. Must write
// nothing but what won the vote for that very version, and must leave alone
// whoever agreed.
import type { BlockKey } from '../../protocol/services/blocks.js';
import type { BlockReference, MetadataService } from '../../protocol/services/metadata.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { LogFields } from '../../runtime/log.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { Counters } from '../counters.js';
import { isNamed } from '../metadata/named-versions.js';
import { forgetVersions } from '../replicas/forget.js';
import type { Replica } from '../replicas/replica.js';
import type { BallotBox } from '../voting/ballot-box.js';
import { blamed } from '../voting/blame.js';
import type { Reader } from '../voting/reader.js';
import { type Ballot, dissents } from '../voting/vote.js';

const CONCURRENT_REPAIRS = 4;
/** Repairs that wait; beyond it new ones are dropped, for the next read or scrub to find again. */
const MAXIMUM_WAITING = 10_000;
/** Somewhat less than until a server that lacks something is tried again. */
const UNWILLING_MS = 4000;

interface Order {
  inode: number;
  reference: BlockReference;
  /** Who lost the vote with which ballot; null for who is not to blame for it. */
  replicas: Map<Replica, Ballot['state'] | null>;
}

/** Of the replicas that a version was to be put on. */
export interface Mended {
  /** They hold it now. */
  holders: Replica[];
  /** Those of them that had to be written. */
  mended: Replica[];
}

export class Repairer {
  readonly #waiting = new Map<string, Order>();
  /** Who is being mended now by an order, by key. */
  readonly #running = new Map<string, ReadonlySet<Replica>>();
  /** The same for everybody who calls `mend`: what its vote finds is no news. */
  readonly #mending = new Map<string, readonly Replica[]>();
  /** Those that have refused a repair, and until when none is offered to them by itself, on the monotonic clock. */
  readonly #unwilling = new Map<Replica, number>();
  #closed = false;

  readonly #reader: () => Reader;
  readonly #metadata: MetadataService;
  readonly #counters: Counters;
  readonly #runtime: Runtime;

  constructor(reader: () => Reader, metadata: MetadataService, counters: Counters, runtime: Runtime) {
    this.#reader = reader;
    this.#metadata = metadata;
    this.#counters = counters;
    this.#runtime = runtime;
  }

  /** A replica lost a vote: mends it in the background. Repeats while one is waiting or running are one. */
  order(box: BallotBox, replica: Replica): void {
    const { inode, reference } = box.wanted;
    const key = textOf(inode, reference);
    const ballot = box.ballots.get(replica);
    if (this.#closed || ballot === undefined) return;
    if (this.#running.get(key)?.has(replica) || this.#mending.get(key)?.includes(replica)) return;
    // Its disk is full or fails. The vote of the repair itself would find it wanting again, and so on for ever.
    if (this.isUnwilling(replica)) return;
    const order = this.#waiting.get(key) ?? { inode, reference, replicas: new Map() };
    order.replicas.set(replica, box.isToBlame(replica) ? ballot.state : null);
    if (this.#waiting.size < MAXIMUM_WAITING) this.#waiting.set(key, order);
    this.#next();
  }

  /** Whether the replica has refused a repair a moment ago. */
  isUnwilling(replica: Replica): boolean {
    return (this.#unwilling.get(replica) ?? 0) > this.#runtime.clock.monotonicMs();
  }

  /** Versions whose repair waits or is under way. */
  get size(): number {
    return this.#waiting.size + this.#mending.size;
  }

  close(): void {
    this.#closed = true;
    this.#waiting.clear();
  }

  /**
   * Reads the version by vote and puts it on those of `replicas` that do not agree.
   * @returns null when the version has no quorum
   */
  async mend(inode: number, reference: BlockReference, replicas: readonly Replica[]): Promise<Mended | null> {
    const key = textOf(inode, reference);
    this.#mending.set(key, replicas);
    try {
      return await this.#mend(inode, reference, replicas);
    } finally {
      if (this.#mending.get(key) === replicas) this.#mending.delete(key);
    }
  }

  async #mend(inode: number, reference: BlockReference, replicas: readonly Replica[]): Promise<Mended | null> {
    const whole = { inode, reference, offset: 0, length: reference.length };
    const [outcome] = (await this.#reader().read([whole])).outcomes;
    const data = outcome?.data ?? null;
    if (outcome === undefined || data === null) return null;
    const holders: Replica[] = [];
    const mended: Replica[] = [];
    await Promise.all(
      replicas.map(async (replica) => {
        const ballot = outcome.box.ballots.get(replica);
        if (ballot !== undefined && ballot.state === 'present' && !dissents(ballot, reference.hash)) {
          holders.push(replica);
          return;
        }
        if (!replica.reachable) return;
        const item = { inode, index: reference.index, version: reference.version, data };
        try {
          const { results } = await replica.call(() =>
            replica.blocks.put({ items: [item], durable: true, replace: true }),
          );
          const result = results[0];
          if (result?.state === 'stored' && result.hash === reference.hash) {
            holders.push(replica);
            mended.push(replica);
          } else this.#refused(replica, inode, reference, { result: result?.state });
        } catch (error) {
          this.#refused(replica, inode, reference, errorFields(error));
        }
      }),
    );
    return { holders, mended };
  }

  #refused(replica: Replica, inode: number, reference: BlockReference, why: LogFields): void {
    this.#unwilling.set(replica, this.#runtime.clock.monotonicMs() + UNWILLING_MS);
    this.#runtime.log.warn('repair.failed', { ...this.#fields(inode, reference), server: replica.name, ...why });
  }

  #next(): void {
    for (const [key, order] of this.#waiting) {
      if (this.#running.size >= CONCURRENT_REPAIRS) return;
      if (this.#running.has(key)) continue;
      this.#waiting.delete(key);
      this.#running.set(key, new Set(order.replicas.keys()));
      this.#carryOut(order)
        .catch((error: unknown) => {
          rethrowProgramFault(error);
          this.#runtime.log.warn('repair.failed', {
            ...this.#fields(order.inode, order.reference),
            ...errorFields(error),
          });
        })
        .finally(() => {
          this.#running.delete(key);
          this.#next();
        });
    }
  }

  async #carryOut({ inode, reference, replicas }: Order): Promise<void> {
    const block: BlockKey = { inode, index: reference.index, version: reference.version };
    // Replaced or removed since, its versions may have been collected before the vote asked for them.
    if (!(await isNamed(this.#metadata, block))) return;
    const wrong = await blamed(this.#metadata, block, replicas);
    const outcome = await this.mend(inode, reference, [...replicas.keys()]);
    for (const replica of wrong) {
      const ballot = replicas.get(replica) ?? null;
      if (ballot === 'absent' && wasGiven(replica, outcome)) continue;
      replica.dissents++;
      this.#counters.add('dissents');
      this.#runtime.log.warn('vote.dissent', { ...this.#fields(inode, reference), server: replica.name, ballot });
    }
    const isStillNamed = await isNamed(this.#metadata, block);
    if (outcome === null) {
      if (isStillNamed) this.#runtime.log.error('repair.impossible', this.#fields(inode, reference));
      return;
    }
    for (const replica of outcome.mended) {
      replica.repairs++;
      this.#counters.add('repairs');
      this.#runtime.log.info('repair.done', { ...this.#fields(inode, reference), server: replica.name });
    }
    // It was overwritten meanwhile, and its garbage perhaps collected before the repair put it back.
    if (!isStillNamed) await forgetVersions(this.#metadata, outcome.mended, [block]);
  }

  #fields(inode: number, reference: BlockReference): Record<string, unknown> {
    return { inode, index: reference.index, version: reference.version };
  }
}

function textOf(inode: number, { index, version }: BlockReference): string {
  return `${inode}/${index}/${version}`;
}

/** Whether a replica that lacked the version has got it from somebody else since: it was on its way. */
export function wasGiven(replica: Replica, outcome: Mended | null): boolean {
  return outcome?.holders.includes(replica) === true && !outcome.mended.includes(replica);
}
