// Reads a range of a file: looks up its blocks in the block map, has the replicas
// vote on them, and fills holes with zeros. When a block has no quorum, the map is
// fetched again first: another mediator may have replaced the version.
import { FileError } from '../../protocol/errors.js';
import type { BlockReference } from '../../protocol/services/metadata.js';
import { copyOf, type Pieces } from '../../protocol/values/pieces.js';
import { lend } from '../../protocol/wire/lent.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { Counters } from '../counters.js';
import type { BlockMap } from '../metadata/block-map.js';
import type { ReplicaSet } from '../replicas/replica-set.js';
import type { Auditor } from '../voting/audit.js';
import { wholePages } from '../voting/ballot-box.js';
import type { ReadOutcome, ReadResult } from '../voting/read-session.js';
import type { Reader } from '../voting/reader.js';
import { type NextFiles, SMALL_FILE_BYTES } from './next-files.js';

/** How often a read is tried while the file is rewritten under it. */
const MAXIMUM_ATTEMPTS = 10;
/** An answer with more pieces is copied into one: passing on many costs more, and writev(2) takes no more than 1,024. */
const MAXIMUM_PIECES = 128;

const ZEROS = new Uint8Array(128 * 1024);

interface Dependencies {
  blockMap: BlockMap;
  reader: Reader;
  nextFiles: NextFiles;
  replicas: ReplicaSet;
  auditor: Auditor;
  counters: Counters;
  runtime: Runtime;
}

export class FileReader {
  readonly #blockMap: BlockMap;
  readonly #reader: Reader;
  readonly #nextFiles: NextFiles;
  readonly #replicas: ReplicaSet;
  readonly #auditor: Auditor;
  readonly #counters: Counters;
  readonly #runtime: Runtime;

  constructor({ blockMap, reader, nextFiles, replicas, auditor, counters, runtime }: Dependencies) {
    this.#blockMap = blockMap;
    this.#reader = reader;
    this.#nextFiles = nextFiles;
    this.#replicas = replicas;
    this.#auditor = auditor;
    this.#counters = counters;
    this.#runtime = runtime;
  }

  /**
   * @returns bytes that have won their votes, lent (protocol/wire/lent.ts); fewer than `length` only at the end of the file
   * @throws FileError EIO when a block has no quorum
   */
  async read(inode: number, offset: number, length: number): Promise<{ pieces: Pieces }> {
    const { clock } = this.#runtime;
    const startMs = clock.monotonicMs();
    this.#auditor.readerStarts();
    let { admissions } = this.#replicas;
    try {
      for (let attempt = 1; ; attempt++) {
        const { attributes } = await this.#blockMap.load(inode, 0, 1);
        const end = Math.min(attributes.sizeBytes, offset + length);
        if (end <= offset) return { pieces: [] };
        const blockSize = attributes.blockSizeBytes;
        const first = Math.floor(offset / blockSize);
        const { entries } = await this.#blockMap.load(inode, first, Math.ceil(end / blockSize) - first);
        const isSmall = offset === 0 && end === attributes.sizeBytes && end <= SMALL_FILE_BYTES;
        const ahead = isSmall ? await this.#nextFiles.take(inode, entries) : undefined;
        const { outcomes, release } = ahead ?? (await this.#vote(inode, entries, first, blockSize, offset, end));
        const failed = outcomes.find((outcome) => outcome.data === null);
        if (failed === undefined) {
          if (ahead !== undefined) this.#counters.add('readsAhead');
          else if (isSmall) this.#nextFiles.missed(inode);
          this.#counters.add('reads');
          this.#counters.add('readBytes', end - offset);
          const pieces = layOut(outcomes, blockSize, offset, end);
          if (pieces.length <= MAXIMUM_PIECES) return lend({ pieces }, release);
          const copy = copyOf(pieces);
          release();
          return { pieces: [copy] };
        }
        if (attempt >= MAXIMUM_ATTEMPTS) throw this.#noQuorum(failed);
        if (!(await this.#isCurrent(inode, failed.box.wanted.reference))) continue;
        await this.#replicas.untilSettled(Number.POSITIVE_INFINITY);
        if (this.#replicas.admissions === admissions) throw this.#noQuorum(failed);
        admissions = this.#replicas.admissions;
      }
    } finally {
      this.#auditor.readerEnds();
      this.#counters.readDurations.note(clock.monotonicMs() - startMs);
    }
  }

  /** Positional arguments: this is on the way of every read. */
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
    return this.#reader.read(wanted);
  }

  /** Asks the metaserver whether the version that could not be read still counts. */
  async #isCurrent(inode: number, reference: BlockReference): Promise<boolean> {
    this.#blockMap.forget(inode);
    const { entries } = await this.#blockMap.load(inode, reference.index, 1);
    return entries[0]?.version === reference.version;
  }

  #noQuorum({ box }: ReadOutcome): FileError {
    this.#counters.add('noQuorums');
    const { inode, reference } = box.wanted;
    const ballots = Object.fromEntries([...box.ballots].map(([replica, ballot]) => [replica.name, ballot.state]));
    this.#runtime.log.error('vote.no_quorum', {
      inode,
      index: reference.index,
      version: reference.version,
      agreeing: box.agreeing().length,
      ballots,
    });
    return new FileError('EIO', `inode ${inode}, block ${reference.index}: no read quorum`);
  }
}

/** The bytes of the range: what was read, in order, and zeros between, for holes and behind the ends of short blocks. */
function layOut(outcomes: readonly ReadOutcome[], blockSize: number, offset: number, end: number): Pieces {
  const pieces: Uint8Array[] = [];
  let at = offset;
  for (const { data, box } of outcomes) {
    if (data === null) continue;
    const start = box.wanted.reference.index * blockSize + box.wanted.offset;
    const from = Math.max(offset, start);
    const to = Math.min(end, start + data.length);
    if (from >= to) continue;
    addZeros(pieces, from - at);
    pieces.push(data.subarray(from - start, to - start));
    at = to;
  }
  addZeros(pieces, end - at);
  return pieces;
}

function addZeros(pieces: Uint8Array[], lengthBytes: number): void {
  for (let left = lengthBytes; left > 0; left -= ZEROS.length) pieces.push(ZEROS.subarray(0, left));
}
