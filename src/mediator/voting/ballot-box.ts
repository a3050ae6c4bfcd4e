// Collects the ballots of one block's vote, and the bytes that came with them.
import { Buffer } from 'node:buffer';

import type { GetResult } from '../../protocol/services/blocks.js';
import type { BlockReference } from '../../protocol/services/metadata.js';
import { type Hash, hashBlock, hashOfPages, PAGE_BYTES, writePageHashes } from '../../protocol/values/hash.js';
import type { Replica } from '../replicas/replica.js';
import { type Ballot, dissents, type Verdict, vote } from './vote.js';

/** A block, and the range of it that a reader needs; page-aligned, clipped to the block's length. */
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
  /** Those of them that are to send the bytes. */
  senders = 0;
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
      // It votes for the right hash and sends other bytes: as good as damaged.
      if (!this.#proves(result.data, result.pageHashes)) this.ballots.set(replica, { state: 'damaged' });
      else if (!this.#isLost) this.data ??= result.data;
    }
    if (!this.ballots.has(replica))
      this.ballots.set(replica, { state: 'present', hash: result.hash, length: result.length });
  }

  unreachable(replica: Replica): void {
    this.ballots.set(replica, { state: 'unreachable' });
  }

  /** There is no quorum: bytes that are here, or are still to come, must not be answered. */
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

  /** Whether a replica that lost this vote is to blame: what is absent while it is being rebuilt is only still to come. */
  isToBlame(replica: Replica): boolean {
    return !this.#incomplete.has(replica);
  }

  /** Replicas that hold the right version, most lately heard first. */
  agreeing(): Replica[] {
    const hash = this.wanted.reference.hash;
    return [...this.ballots]
      .filter(([, ballot]) => ballot.state === 'present' && ballot.hash === hash)
      .map(([replica]) => replica);
  }

  #proves(data: Uint8Array, pageHashes: Uint8Array | undefined): boolean {
    const { reference, offset, length } = this.wanted;
    if (data.length !== length) return false;
    if (offset === 0 && length === reference.length) return hashBlock(data) === reference.hash;
    if (pageHashes === undefined) return false;
    return hashWith(data, offset, pageHashes, reference.length) === reference.hash;
  }
}

/** The block's hash when `data` at page-aligned `offset` takes the place of those pages' given hashes. */
function hashWith(data: Uint8Array, offset: number, pageHashes: Uint8Array, blockLength: number): Hash {
  const hashes = Buffer.from(pageHashes);
  if (hashes.length !== Math.ceil(blockLength / PAGE_BYTES) * 8) return -1n;
  writePageHashes(hashes, offset / PAGE_BYTES, data);
  return hashOfPages(hashes, blockLength);
}
