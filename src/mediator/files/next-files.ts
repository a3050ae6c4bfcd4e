// Reads small files before they are asked for. Programs that go through a tree
// read its files in about the order in which they were made, which is that of
// listings and of inode numbers. So after a few reads in that order the replicas
// vote on the next files together, with one message each for many of them. What
// is read ahead is given out once, within a second, and only while the block map
// names the versions that were voted on.
import type { BlockReference } from '../../protocol/services/metadata.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { BlockMap, SmallFile } from '../metadata/block-map.js';
import { type Wanted, wholePages } from '../voting/ballot-box.js';
import type { ReadOutcome, ReadResult } from '../voting/read-session.js';
import type { Reader } from '../voting/reader.js';

/** Larger files are not read ahead. */
export const SMALL_FILE_BYTES = 32 * 1024;
/** A vote is not older than that when its bytes are given out. */
const KEPT_MS = 1000;
/** A read waits no longer for a vote on many files: another file may lack a quorum while a server hangs. */
const PATIENCE_MS = 200;
/** A read goes on with a run when its inode comes at most so far behind the run's last. */
const NEAR = 16;
/** Reads of a run before the next files are read ahead. */
const READS_BEFORE = 3;
const MOST_RUNS = 4;
/** Files that a run reads ahead at first; twice as many each time, while most of them are read. */
const FIRST_FILES = 8;
const MOST_FILES = 64;
/** Inodes looked at for each file that is wanted: others may be directories or large. */
const INODES_PER_FILE = 2;
const MOST_BYTES_AT_ONCE = 512 * 1024;
const MOST_BYTES_KEPT = 8 * 1024 * 1024;
/** What else is kept of a file. */
const FILE_BYTES = 1024;

/** Reads of small files in the order of their inodes. */
interface Run {
  /** The inode read last, of those that had not been read ahead. */
  last: number;
  reads: number;
  /** The last inode that was looked at to read it ahead. */
  end: number;
  /** A read from here on has the next files read ahead. */
  middle: number;
  /** Files that are wanted at once. */
  size: number;
  /** Files that were read ahead, and those of them that were read. */
  ahead: number;
  used: number;
  isReading: boolean;
}

/** On many files. */
interface Vote {
  isOver: boolean;
}

interface KeptFile {
  run: Run;
  blocks: readonly BlockReference[];
  /** Of the vote. */
  quorum: number;
  untilMs: number;
  vote: Vote;
  /** null when some block had no quorum. */
  outcomes: Promise<ReadOutcome[] | null>;
}

interface Dependencies {
  blockMap: BlockMap;
  reader: Reader;
  runtime: Runtime;
}

export class NextFiles {
  /** The youngest first. */
  #runs: Run[] = [];
  /** By inode, the oldest first. */
  readonly #kept = new Map<number, KeptFile>();
  #keptBytes = 0;

  readonly #blockMap: BlockMap;
  readonly #reader: Reader;
  readonly #runtime: Runtime;

  constructor({ blockMap, reader, runtime }: Dependencies) {
    this.#blockMap = blockMap;
    this.#reader = reader;
    this.#runtime = runtime;
  }

  /** Files that wait for their read. */
  get size(): number {
    return this.#kept.size;
  }

  /**
   * A small file is read from its begin to its end.
   * @param entries its block map, null for holes
   * @returns what was read ahead of it; undefined: the replicas are to be asked
   */
  async take(inode: number, entries: readonly (BlockReference | null)[]): Promise<ReadResult | undefined> {
    const kept = this.#kept.get(inode);
    if (kept === undefined) return undefined;
    this.#drop(inode, kept);
    const { run } = kept;
    run.used++;
    if (inode >= run.middle) this.#readOn(run);
    if (!this.#counts(kept, entries)) return undefined;
    const outcomes = await (kept.vote.isOver ? kept.outcomes : this.#soon(kept.outcomes));
    return outcomes === null ? undefined : { outcomes, release() {} };
  }

  /** A small file was read that had not been read ahead. */
  missed(inode: number): void {
    const run = this.#runs.find(({ last }) => last < inode && inode <= last + NEAR);
    if (run === undefined) {
      const begun = {
        last: inode,
        reads: 1,
        end: 0,
        middle: 0,
        size: FIRST_FILES,
        ahead: 0,
        used: 0,
        isReading: false,
      };
      this.#runs = [begun, ...this.#runs.slice(0, MOST_RUNS - 1)];
      return;
    }
    run.last = inode;
    run.reads++;
    if (run.reads >= READS_BEFORE && inode >= run.middle) this.#readOn(run);
  }

  #soon(outcomes: Promise<ReadOutcome[] | null>): Promise<ReadOutcome[] | null> {
    return new Promise((resolve, reject) => {
      const timer = this.#runtime.clock.after(PATIENCE_MS, () => resolve(null));
      outcomes.then(resolve, reject).finally(() => timer.cancel());
    });
  }

  #counts({ blocks, quorum, untilMs }: KeptFile, entries: readonly (BlockReference | null)[]): boolean {
    const current = entries.filter((entry) => entry !== null);
    const areSame = current.length === blocks.length && current.every((block, at) => isSame(block, blocks[at]));
    return areSame && quorum >= this.#reader.quorum && this.#runtime.clock.monotonicMs() <= untilMs;
  }

  #readOn(run: Run): void {
    if (run.isReading) return;
    // Half of those read ahead last are still to come.
    const due = run.ahead - Math.ceil(run.size / 2);
    if (run.used * 4 < due) {
      this.#runs = this.#runs.filter((each) => each !== run);
      return;
    }
    if (run.ahead > 0) run.size = run.used * 2 < due ? FIRST_FILES : Math.min(MOST_FILES, run.size * 2);
    run.isReading = true;
    this.#readNext(run)
      .catch((error: unknown) => {
        rethrowProgramFault(error);
        this.#runtime.log.debug('read_ahead.failed', errorFields(error));
      })
      .finally(() => {
        run.isReading = false;
      });
  }

  async #readNext(run: Run): Promise<void> {
    const after = Math.max(run.last, run.end);
    const { files, last } = await this.#blockMap.loadSmall(after, run.size * INODES_PER_FILE, SMALL_FILE_BYTES);
    const chosen = this.#choose(files, run.size);
    run.end = chosen.at(-1)?.inode ?? last;
    run.middle = chosen[chosen.length >> 1]?.inode ?? last;
    if (chosen.length === 0) {
      run.reads = 0;
      return;
    }
    run.ahead += chosen.length;
    const { quorum } = this.#reader;
    const untilMs = this.#runtime.clock.monotonicMs() + KEPT_MS;
    const reading = this.#vote(chosen.flatMap(({ inode, blocks }) => blocks.map((block) => whole(inode, block))));
    const vote: Vote = { isOver: false };
    let first = 0;
    for (const { inode, blocks } of chosen) {
      const [from, to] = [first, first + blocks.length];
      first = to;
      const outcomes = reading.then((all) => outcomesOf(all.slice(from, to)));
      this.#kept.set(inode, { run, blocks, quorum, untilMs, vote, outcomes });
      this.#keptBytes += bytesOf(blocks);
    }
    this.#makeRoom();
    await reading;
    vote.isOver = true;
  }

  /** Those that are not here yet, as many as are wanted and not too large together. */
  #choose(files: readonly SmallFile[], most: number): SmallFile[] {
    const chosen: SmallFile[] = [];
    let bytes = 0;
    for (const file of files) {
      if (this.#kept.has(file.inode)) continue;
      bytes += bytesOf(file.blocks);
      if (chosen.length === most || bytes > MOST_BYTES_AT_ONCE) break;
      chosen.push(file);
    }
    return chosen;
  }

  /** Copies the bytes: a reply's memory holds many files, and would be kept until the last of them is read. */
  async #vote(wanted: readonly Wanted[]): Promise<ReadOutcome[]> {
    const { outcomes, release } = await this.#reader.read(wanted);
    for (const outcome of outcomes) {
      if (outcome.data !== null) outcome.data = outcome.box.data = new Uint8Array(outcome.data);
    }
    release();
    return outcomes;
  }

  #makeRoom(): void {
    const nowMs = this.#runtime.clock.monotonicMs();
    for (const [inode, kept] of this.#kept) {
      if (this.#keptBytes <= MOST_BYTES_KEPT && nowMs <= kept.untilMs) return;
      this.#drop(inode, kept);
    }
  }

  #drop(inode: number, kept: KeptFile): void {
    this.#kept.delete(inode);
    this.#keptBytes -= bytesOf(kept.blocks);
  }
}

function whole(inode: number, block: BlockReference): Wanted {
  return wholePages(inode, block, 0, block.length);
}

function outcomesOf(outcomes: ReadOutcome[]): ReadOutcome[] | null {
  return outcomes.some(({ data }) => data === null) ? null : outcomes;
}

function isSame(one: BlockReference, other: BlockReference | undefined): boolean {
  return one.index === other?.index && one.version === other.version && one.hash === other.hash;
}

function bytesOf(blocks: readonly BlockReference[]): number {
  let sum = FILE_BYTES;
  for (const { length } of blocks) sum += length;
  return sum;
}
