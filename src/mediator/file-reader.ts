// Reads ranges of files: block map, vote, holes. A block map that was
// overtaken by another writer is fetched again before a read gives up.
import { BufferPool } from '../protocol/buffer-pool.js';
import { FileError } from '../protocol/errors.js';
import { lend } from '../protocol/lent.js';
import type { BlockReference } from '../protocol/metadata.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Auditor } from './audit.js';
import { wholePages } from './ballot-box.js';
import type { BlockMap } from './block-map.js';
import type { Counters } from './counters.js';
import type { Reader, ReadOutcome, ReadResult } from './reader.js';

/** How often a read starts over because the file was rewritten under it. */
const MAXIMUM_ATTEMPTS = 10;

export class FileReader {
  readonly #pool = new BufferPool();

  constructor(
    private readonly blockMap: BlockMap,
    private readonly reader: Reader,
    private readonly auditor: Auditor,
    private readonly counters: Counters,
    private readonly runtime: Runtime,
  ) {}

  /**
   * @returns voted bytes from `offset`, fewer than `length` only where the file ends
   * @throws FileError EIO when a block has no quorum
   */
  async read(inode: number, offset: number, length: number): Promise<Uint8Array> {
    this.auditor.readerStarts();
    try {
      for (let attempt = 1; ; attempt++) {
        const { attributes } = await this.blockMap.load(inode, 0, 1);
        const end = Math.min(attributes.sizeBytes, offset + length);
        if (end <= offset) return new Uint8Array(0);
        const blockSize = attributes.blockSizeBytes;
        const first = Math.floor(offset / blockSize);
        const { entries } = await this.blockMap.load(inode, first, Math.ceil(end / blockSize) - first);
        const { outcomes, release } = await this.#vote(inode, entries, first, blockSize, offset, end);
        const failed = outcomes.find((outcome) => outcome.data === null);
        if (failed === undefined) {
          this.counters.add('reads');
          this.counters.add('readBytes', end - offset);
          return this.#assemble(outcomes, release, blockSize, offset, end);
        }
        if (attempt >= MAXIMUM_ATTEMPTS || (await this.#isCurrent(inode, failed.box.wanted.reference))) {
          throw this.#noQuorum(failed);
        }
      }
    } finally {
      this.auditor.readerEnds();
    }
  }

  #vote(
    inode: number,
    entries: readonly (BlockReference | null)[],
    first: number,
    blockSize: number,
    offset: number,
    end: number,
  ): Promise<ReadResult> {
    const wanted = [];
    for (const [position, reference] of entries.entries()) {
      const start = (first + position) * blockSize;
      const from = Math.max(offset, start) - start;
      const to = Math.min(end, start + blockSize) - start;
      // What lies beyond a block's stored length reads as zeros.
      if (reference !== null && from < reference.length) wanted.push(wholePages(inode, reference, from, to - from));
    }
    if (wanted.length === 0) return Promise.resolve({ outcomes: [], release() {} });
    return this.reader.read(wanted);
  }

  /** Asks the metaserver anew whether the version that could not be read still counts. */
  async #isCurrent(inode: number, reference: BlockReference): Promise<boolean> {
    this.blockMap.forget(inode);
    const { entries } = await this.blockMap.load(inode, reference.index, 1);
    return entries[0]?.version === reference.version;
  }

  #noQuorum({ box }: ReadOutcome): FileError {
    this.counters.add('noQuorums');
    const { inode, reference } = box.wanted;
    const ballots = Object.fromEntries([...box.ballots].map(([replica, ballot]) => [replica.name, ballot.state]));
    this.runtime.log.error('vote.no_quorum', {
      inode,
      index: reference.index,
      version: reference.version,
      agreeing: box.agreeing().length,
      ballots,
    });
    return new FileError('EIO', `inode ${inode}, block ${reference.index}: no read quorum`);
  }

  /** Lays the ranges side by side; without a copy when one of them is the whole answer. */
  #assemble(
    outcomes: readonly ReadOutcome[],
    release: () => void,
    blockSize: number,
    offset: number,
    end: number,
  ): Uint8Array {
    const only = outcomes.length === 1 ? outcomes[0] : undefined;
    if (only?.data) {
      const start = only.box.wanted.reference.index * blockSize + only.box.wanted.offset;
      if (start <= offset && start + only.data.length >= end) return only.data.subarray(offset - start, end - start);
    }
    const answer = this.#pool.take(end - offset);
    let filled = 0;
    // In the order of the file: what lies between, holes and the ends of short blocks, is zeros.
    for (const { data, box } of outcomes) {
      if (data === null) continue;
      const start = box.wanted.reference.index * blockSize + box.wanted.offset;
      const from = Math.max(offset, start) - offset;
      const to = Math.min(end, start + data.length) - offset;
      if (from >= to) continue;
      answer.fill(0, filled, from);
      answer.set(data.subarray(from + offset - start, to + offset - start), from);
      filled = to;
    }
    answer.fill(0, filled);
    release();
    return lend(answer, () => this.#pool.release(answer));
  }
}
