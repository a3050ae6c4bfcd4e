// Repair: puts the bytes that won a vote on replicas that lost it. Must write
// nothing but what won the vote for that very version, and must leave alone
// whoever agreed.
import type { BlockKey } from '../../protocol/services/blocks.js';
import type { BlockReference, MetadataService } from '../../protocol/services/metadata.js';
import { assert } from '../../runtime/assert.js';
import { errorFields, hasCode } from '../../runtime/caught-errors.js';
import type { Log, LogFields } from '../../runtime/log.js';
import type { Runtime } from '../../runtime/runtime.js';
import { areNamed } from '../metadata/named-versions.js';
import { boundedGroups } from '../replicas/bounded-groups.js';
import { forgetVersions } from '../replicas/forget.js';
import type { Replica } from '../replicas/replica.js';
import { recordDissent, recordRepair } from '../replicas/vote-record.js';
import type { BallotBox } from '../voting/ballot-box.js';
import type { ReadOutcome } from '../voting/read-session.js';
import type { Reader } from '../voting/reader.js';
import { type Ballot, dissents } from '../voting/vote.js';

/** Slightly less than recovery waits before it tries a server again. */
const REFUSAL_MS = 4000;
/** Bytes of blocks that are read, and put, with one message. */
const MESSAGE_BYTES = 512 * 1024;

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
    return refusal.isFull || hasDiskTrouble(replica);
  }

  /** As `repairAll`, of one version. */
  async repair(block: LocatedBlock, replicas: readonly Replica[]): Promise<RepairOutcome> {
    const [outcome] = await this.repairAll([block], replicas);
    assert(outcome !== undefined, 'a repair of one version has one outcome');
    return outcome;
  }

  /**
   * Reads the versions by vote, puts them on those of `replicas` that do not agree, and then asks the metaserver which of them
   * are still named. Small ones go together, with one message to each server.
   */
  async repairAll(blocks: readonly LocatedBlock[], replicas: readonly Replica[]): Promise<RepairOutcome[]> {
    for (const block of blocks) this.#underWay.set(keyOf(block), replicas);
    let outcomes: RepairOutcome[];
    try {
      const groups = boundedGroups(blocks, ({ length }) => length, MESSAGE_BYTES);
      outcomes = (await Promise.all(groups.map((group) => this.#repair(group, replicas)))).flat();
    } finally {
      for (const block of blocks) {
        if (this.#underWay.get(keyOf(block)) === replicas) this.#underWay.delete(keyOf(block));
      }
    }
    const named = await areNamed(this.#metadata, blocks);
    // Garbage collection may have deleted the version before this put it back.
    await Promise.all(
      replicas.map((replica) => {
        const gone = blocks.filter((_, place) => !named[place] && outcomes[place]?.repaired.includes(replica));
        return forgetVersions(this.#metadata, [replica], gone);
      }),
    );
    return outcomes.map((outcome, place) => (named[place] ? outcome : { ...outcome, state: 'superseded' }));
  }

  /** One vote on all blocks. */
  async #repair(blocks: readonly LocatedBlock[], replicas: readonly Replica[]): Promise<RepairOutcome[]> {
    const wanted = blocks.map((block) => ({ inode: block.inode, reference: block, offset: 0, length: block.length }));
    const { outcomes } = await this.#reader().read(wanted);
    const repairs = blocks.map((block, place) => new Repair(block, outcomes[place]));
    await Promise.all(
      replicas.map(async (replica) => {
        const lacking = repairs.filter((repair) => repair.data !== null && !repair.noteAgreed(replica));
        if (lacking.length > 0 && replica.reachable) await this.#put(replica, lacking);
      }),
    );
    return repairs.map(({ data, holders, repaired }) => ({
      state: data === null ? 'no-quorum' : 'repaired',
      holders,
      repaired,
    }));
  }

  /** What the server fails to take with others, it is offered alone, unless its disk takes nothing. */
  async #put(replica: Replica, repairs: readonly Repair[]): Promise<void> {
    const items = repairs.map(({ block: { inode, index, version }, data }) => {
      assert(data !== null, 'only what won the vote is put');
      return { inode, index, version, data };
    });
    try {
      const { results } = await replica.call(() => replica.blocks.put({ items, durable: true, replace: true }));
      for (const [place, repair] of repairs.entries()) {
        const result = results[place];
        if (result?.state === 'stored' && result.hash === repair.block.hash) repair.noteRepaired(replica);
        else this.#refused(replica, repair.block, { result: result?.state });
      }
    } catch (error) {
      if (repairs.length > 1 && hasCode(error, 'FAILED') && !hasDiskTrouble(replica)) {
        await Promise.all(repairs.map((repair) => this.#put(replica, [repair])));
      } else for (const { block } of repairs) this.#refused(replica, block, errorFields(error));
    }
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

/** One version on its way. */
class Repair {
  readonly holders: Replica[] = [];
  readonly repaired: Replica[] = [];
  /** null: there was no quorum. */
  readonly data: Uint8Array | null;
  readonly #box: BallotBox;

  constructor(
    readonly block: LocatedBlock,
    outcome: ReadOutcome | undefined,
  ) {
    assert(outcome !== undefined, 'a read has an outcome for each block');
    this.data = outcome.data;
    this.#box = outcome.box;
    assert(this.data === null || this.data.length === block.length, 'a repair puts whole blocks');
  }

  /** True when the replica has voted for the version, and so holds it. */
  noteAgreed(replica: Replica): boolean {
    const ballot = this.#box.ballots.get(replica);
    if (ballot === undefined || ballot.state !== 'present' || dissents(ballot, this.block.hash)) return false;
    this.holders.push(replica);
    return true;
  }

  noteRepaired(replica: Replica): void {
    this.holders.push(replica);
    this.repaired.push(replica);
  }
}

function hasDiskTrouble({ store }: Replica): boolean {
  return (store?.trouble ?? null) !== null;
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
