// Repair: puts the bytes that won a vote on replicas that lost it. Must write
// nothing but what won the vote for that very version, and must leave alone
// whoever agreed.
import type { BlockKey } from '../../protocol/services/blocks.js';
import type { BlockReference, MetadataService } from '../../protocol/services/metadata.js';
import { assert } from '../../runtime/assert.js';
import { errorFields } from '../../runtime/caught-errors.js';
import type { Log, LogFields } from '../../runtime/log.js';
import type { Runtime } from '../../runtime/runtime.js';
import { isNamed } from '../metadata/named-versions.js';
import { forgetVersions } from '../replicas/forget.js';
import type { Replica } from '../replicas/replica.js';
import { recordDissent, recordRepair } from '../replicas/vote-record.js';
import type { Reader } from '../voting/reader.js';
import { type Ballot, dissents } from '../voting/vote.js';

/** Slightly less than recovery waits before it tries a server again. */
const REFUSAL_MS = 4000;

/** A block map entry and its inode. */
export type LocatedBlock = BlockReference & { inode: number };

export interface RepairOutcome {
  /**
   * superseded: the block map no longer names the version, because the file was written to or removed meanwhile; what was put
   * has been deleted again.
   */
  state: 'repaired' | 'no-quorum' | 'superseded';
  /** The replicas, of those to be repaired, that hold the version; of a superseded one, those that did before it was deleted. */
  holders: readonly Replica[];
  /** The holders to which it had to be written. */
  repaired: readonly Replica[];
}

interface Refusal {
  /** When it is forgotten, on the monotonic clock. */
  untilMs: number;
  /** The replica said that its disk is full. */
  isFull: boolean;
}

interface Dependencies {
  /** A function, since the reader reports dissenters to the repair queue and so is made later. */
  reader: () => Reader;
  metadata: MetadataService;
  runtime: Runtime;
}

export class Repairer {
  /** What is being repaired, by `keyOf`. */
  readonly #underWay = new Map<string, readonly Replica[]>();
  /** Replicas that have refused a repair. */
  readonly #refusals = new Map<Replica, Refusal>();

  readonly #reader: () => Reader;
  readonly #metadata: MetadataService;
  readonly #runtime: Runtime;

  constructor({ reader, metadata, runtime }: Dependencies) {
    this.#reader = reader;
    this.#metadata = metadata;
    this.#runtime = runtime;
  }

  /** Versions that are being repaired. */
  get size(): number {
    return this.#underWay.size;
  }

  /** Whether this version is being put on the replica now. */
  isRepairing(block: BlockKey, replica: Replica): boolean {
    return this.#underWay.get(keyOf(block))?.includes(replica) ?? false;
  }

  /** Whether the replica has refused a repair in the last REFUSAL_MS. */
  isRefusing(replica: Replica): boolean {
    return this.#refusal(replica) !== undefined;
  }

  /** Whether it has done so because its disk is full or fails: it would refuse all other blocks, too. */
  takesNothing(replica: Replica): boolean {
    const refusal = this.#refusal(replica);
    if (refusal === undefined) return false;
    return refusal.isFull || (replica.store?.trouble ?? null) !== null;
  }

  /**
   * Reads the version by vote, puts it on those of `replicas` that do not agree, and then asks the metaserver whether the
   * version is still named.
   */
  async repair(block: LocatedBlock, replicas: readonly Replica[]): Promise<RepairOutcome> {
    const key = keyOf(block);
    this.#underWay.set(key, replicas);
    let outcome: RepairOutcome;
    try {
      outcome = await this.#repair(block, replicas);
    } finally {
      if (this.#underWay.get(key) === replicas) this.#underWay.delete(key);
    }
    if (await isNamed(this.#metadata, block)) return outcome;
    // Garbage collection may have deleted the version before this put it back.
    await forgetVersions(this.#metadata, outcome.repaired, [block]);
    return { ...outcome, state: 'superseded' };
  }

  async #repair(block: LocatedBlock, replicas: readonly Replica[]): Promise<RepairOutcome> {
    const { inode, index, version, hash, length } = block;
    const { outcomes } = await this.#reader().read([{ inode, reference: block, offset: 0, length }]);
    const [outcome] = outcomes;
    assert(outcome !== undefined, 'a read of one block has one outcome');
    const { data, box } = outcome;
    const holders: Replica[] = [];
    const repaired: Replica[] = [];
    if (data === null) return { state: 'no-quorum', holders, repaired };
    assert(data.length === length, 'a repair puts whole blocks');
    await Promise.all(
      replicas.map(async (replica) => {
        const ballot = box.ballots.get(replica);
        if (ballot !== undefined && ballot.state === 'present' && !dissents(ballot, hash)) {
          holders.push(replica);
          return;
        }
        if (!replica.reachable) return;
        const request = { items: [{ inode, index, version, data }], durable: true, replace: true };
        try {
          const [result] = (await replica.call(() => replica.blocks.put(request))).results;
          if (result?.state === 'stored' && result.hash === hash) {
            holders.push(replica);
            repaired.push(replica);
          } else this.#refused(replica, block, { result: result?.state });
        } catch (error) {
          this.#refused(replica, block, errorFields(error));
        }
      }),
    );
    return { state: 'repaired', holders, repaired };
  }

  #refusal(replica: Replica): Refusal | undefined {
    const refusal = this.#refusals.get(replica);
    return refusal !== undefined && refusal.untilMs > this.#runtime.clock.monotonicMs() ? refusal : undefined;
  }

  #refused(replica: Replica, { inode, index, version }: BlockKey, why: LogFields): void {
    this.#refusals.set(replica, {
      untilMs: this.#runtime.clock.monotonicMs() + REFUSAL_MS,
      isFull: why.result === 'full' || this.#refusal(replica)?.isFull === true,
    });
    this.#runtime.log.warn('repair.failed', { inode, index, version, server: replica.name, ...why });
  }
}

export function keyOf({ inode, index, version }: BlockKey): string {
  return `${inode}/${index}/${version}`;
}

/**
 * Counts and logs what a vote and the repair after it have shown.
 * @param wrong those that lost the vote by their own fault
 * @param about `during`: the kind of vote, to log in place of the ballots; `afterMs`: since that vote
 */
export function recordOutcome(
  log: Log,
  block: BlockKey,
  wrong: ReadonlyMap<Replica, Ballot['state']>,
  { holders, repaired }: RepairOutcome,
  { during, afterMs = null }: { during?: string; afterMs?: number | null } = {},
): void {
  for (const [replica, ballot] of wrong) {
    // It lacked the version and has got it since, but not by this repair: a write or a rebuild was about to bring it.
    if (ballot === 'absent' && holders.includes(replica) && !repaired.includes(replica)) continue;
    recordDissent(log, replica, block, during ?? ballot);
  }
  for (const replica of repaired) recordRepair(log, replica, block, afterMs);
}
