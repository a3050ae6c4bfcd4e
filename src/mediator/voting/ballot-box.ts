// Collects the ballots of one block's vote, and the bytes that came with them.
// Must never keep bytes that do not hash to the witness.
import { Buffer } from 'node:buffer';

import type { GetResult } from '../../protocol/services/blocks.js';
import type { BlockReference } from '../../protocol/services/metadata.js';
import { type Hash, hashBlock, hashOfPages, PAGE_BYTES, writePageHashes } from '../../protocol/values/hash.js';
import type { Replica } from '../replicas/replica.js';
import type { LostBallot } from './blame.js';
import { type Ballot, dissents, type Verdict, vote } from './vote.js';

/** The range of a block that a reader needs: whole pages, within the block's length. */
export interface Wanted {
  inode: number;
  reference: BlockReference;
  offset: number;
  length: number;
}

/** The pages that contain offset … offset + length of a block, as a range that stays within the block. */
export function wholePages(inode: number, reference: BlockReference, offset: number, length: number): Wanted {
  const first = Math.floor(offset / PAGE_BYTES) * PAGE_BYTES;
  const end = Math.min(reference.length, Math.ceil((offset + length) / PAGE_BYTES) * PAGE_BYTES);
  return { inode, reference, offset: first, length: Math.max(0, end - first) };
}

export class BallotBox {
  readonly ballots = new Map<Replica, Ballot>();
  /** The bytes of the wanted range, checked against the witness; null until some replica has sent them. */
  data: Uint8Array | null = null;
  /** Replicas that were asked and have not answered. */
  outstanding = 0;
  /** How many of the outstanding were asked for the bytes too. */
  senders = 0;
  /** Replicas that lacked the version while they were not complete. */
  readonly #incomplete = new Set<Replica>();
  #isLost = false;

  constructor(readonly wanted: Wanted) {}

  /** Counts an answer. Bytes are kept only if they are what the witness says. */
  cast(replica: Replica, result: GetResult): void {
    if (result.state !== 'present') {
      if (result.state === 'absent' && replica.state !== 'up') this.#incomplete.add(replica);
      this.ballots.set(replica, { state: result.state });
      return;
    }
    const witness = this.wanted.reference.hash;
    if (result.hash === witness && result.data !== undefined) {
      // A replica that votes for the right hash and sends other bytes counts as damaged.
      if (!this.#proves(result.data, result.pageHashes)) this.ballots.set(replica, { state: 'damaged' });
      else if (!this.#isLost) this.data ??= result.data;
    }
    if (!this.ballots.has(replica))
      this.ballots.set(replica, { state: 'present', hash: result.hash, length: result.length });
  }

  unreachable(replica: Replica): void {
    this.ballots.set(replica, { state: 'unreachable' });
  }

  /** There is no quorum: drops the bytes, and keeps none that come later. */
  lose(): void {
    this.#isLost = true;
    this.data = null;
  }

  verdict(outstanding: number, quorum: number): Verdict {
    return vote(this.ballots.values(), outstanding, quorum, this.wanted.reference.hash);
  }

  /** Replicas whose ballot shows that they need a repair. */
  dissenters(): Replica[] {
    const { hash } = this.wanted.reference;
    const found: Replica[] = [];
    for (const [replica, ballot] of this.ballots) if (dissents(ballot, hash)) found.push(replica);
    return found;
  }

  /**
   * The ballot with which the replica lost this vote; null when it is not at fault, since a rebuild has not brought it the
   * version yet. Undefined when it has cast none.
   */
  lostBallot(replica: Replica): LostBallot | undefined {
    const ballot = this.ballots.get(replica);
    if (ballot === undefined) return undefined;
    return this.#incomplete.has(replica) ? null : ballot.state;
  }

  /** Replicas whose ballot has the witness's hash, in the order in which they answered. */
  agreeing(): Replica[] {
    const hash = this.wanted.reference.hash;
    return [...this.ballots]
      .filter(([, ballot]) => ballot.state === 'present' && ballot.hash === hash)
      .map(([replica]) => replica);
  }

  /** Whether the bytes are what the witness says: with the hashes of the other pages, they make the block's hash. */
  #proves(data: Uint8Array, pageHashes: Uint8Array | undefined): boolean {
    const { reference, offset, length } = this.wanted;
    if (data.length !== length) return false;
    if (offset === 0 && length === reference.length) return hashBlock(data) === reference.hash;
    if (pageHashes === undefined) return false;
    return hashWith(data, offset, pageHashes, reference.length) === reference.hash;
  }
}

/** The hash of a block from its page hashes, those of the pages at `offset` recomputed from `data`; -1 when their number is wrong. */
function hashWith(data: Uint8Array, offset: number, pageHashes: Uint8Array, blockLength: number): Hash {
  const hashes = Buffer.from(pageHashes);
  if (hashes.length !== Math.ceil(blockLength / PAGE_BYTES) * 8) return -1n;
  writePageHashes(hashes, offset / PAGE_BYTES, data);
  return hashOfPages(hashes, blockLength);
}
