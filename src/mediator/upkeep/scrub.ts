// Scrub: has every replica hash every byte of every block, votes, and repairs
// what dissents. A scrub of everything ends with the removal of orphans.
import type { ScrubProgress } from '../../protocol/services/admin.js';
import type { Version } from '../../protocol/services/blocks.js';
import type { MetadataService } from '../../protocol/services/metadata.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import { isNamed } from '../metadata/named-versions.js';
import type { Versions } from '../metadata/versions.js';
import type { Replica } from '../replicas/replica.js';
import type { ReplicaSet } from '../replicas/replica-set.js';
import type { BallotBox } from '../voting/ballot-box.js';
import { blamed, type LostBallot } from '../voting/blame.js';
import type { Reader } from '../voting/reader.js';
import { removeOrphanedVersions } from './orphaned-versions.js';
import { type LocatedBlock, type Repairer, recordOutcome } from './repair.js';

const BATCH_BLOCKS = 32;

interface Dependencies {
  metadata: MetadataService;
  replicas: ReplicaSet;
  reader: Reader;
  repairer: Repairer;
  versions: Versions;
  runtime: Runtime;
}

const NOTHING_DONE = { done: 0, total: 0, dissents: 0, repaired: 0, unreadable: 0, orphansRemoved: 0 };

export class Scrubber {
  #progress: ScrubProgress = { running: false, ...NOTHING_DONE };
  #closed = false;
  #running: Promise<void> = Promise.resolve();

  readonly #metadata: MetadataService;
  readonly #replicas: ReplicaSet;
  readonly #reader: Reader;
  readonly #repairer: Repairer;
  readonly #versions: Versions;
  readonly #runtime: Runtime;

  constructor({ metadata, replicas, reader, repairer, versions, runtime }: Dependencies) {
    this.#metadata = metadata;
    this.#replicas = replicas;
    this.#reader = reader;
    this.#repairer = repairer;
    this.#versions = versions;
    this.#runtime = runtime;
  }

  get progress(): ScrubProgress {
    return { ...this.#progress };
  }

  /** Starts a scrub of one file, or of everything (null), unless one is running. */
  async start(inode: number | null): Promise<ScrubProgress> {
    if (this.#progress.running) return this.progress;
    this.#progress = { running: true, ...NOTHING_DONE };
    this.#running = this.#run(inode)
      .then(() => this.#runtime.log.info('scrub.done', { ...this.#progress }))
      .catch((error: unknown) => {
        rethrowProgramFault(error);
        this.#runtime.log.error('scrub.failed', errorFields(error));
      })
      .finally(() => {
        this.#progress.running = false;
      });
    return this.progress;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  async #run(inode: number | null): Promise<void> {
    if (inode === null) {
      await this.#scrubAll();
      if (this.#closed) return;
      const below = await this.#versions.retire();
      await Promise.all(this.#replicas.reachable().map((replica) => this.#removeOrphans(replica, below)));
    } else {
      await this.#scrubFile(inode);
    }
  }

  async #scrubFile(inode: number): Promise<void> {
    const { attributes } = await this.#metadata.query({ name: 'blocks', request: { inode, first: 0, count: 1 } });
    const count = Math.ceil(attributes.sizeBytes / attributes.blockSizeBytes);
    this.#progress.total = count;
    for (let first = 0; first < count && !this.#closed; first += BATCH_BLOCKS) {
      const { blocks } = await this.#metadata.query({ name: 'blocks', request: { inode, first, count: BATCH_BLOCKS } });
      await this.#scrubBlocks(blocks.map((block) => ({ ...block, inode })));
      this.#progress.done = Math.min(count, first + BATCH_BLOCKS);
    }
  }

  async #scrubAll(): Promise<void> {
    const { blocks: total } = await this.#metadata.query({ name: 'statistics', request: {} });
    this.#progress.total = total;
    let after: { inode: number; index: number } | undefined;
    for (let done = false; !done && !this.#closed; ) {
      const page = await this.#metadata.query({
        name: 'allBlocks',
        request: after === undefined ? { limit: BATCH_BLOCKS } : { after, limit: BATCH_BLOCKS },
      });
      await this.#scrubBlocks(page.blocks);
      this.#progress.done += page.blocks.length;
      this.#progress.total = Math.max(this.#progress.total, this.#progress.done);
      const last = page.blocks.at(-1);
      if (last !== undefined) after = { inode: last.inode, index: last.index };
      done = page.done;
    }
  }

  async #scrubBlocks(blocks: readonly LocatedBlock[]): Promise<void> {
    if (blocks.length === 0) return;
    const boxes = await this.#reader.poll(
      blocks.map((block) => ({ inode: block.inode, reference: block, offset: 0, length: block.length })),
    );
    for (const [position, box] of boxes.entries()) {
      const block = blocks[position];
      if (block === undefined) continue;
      await this.#repair(block, box);
    }
  }

  async #repair(block: LocatedBlock, box: BallotBox): Promise<void> {
    const bad = box.dissenters();
    if (bad.length === 0) {
      const isReadable = box.agreeing().length >= this.#reader.quorum;
      if (!isReadable && (await isNamed(this.#metadata, block))) this.#unreadable(block);
      return;
    }
    const wrong = await blamed(this.#metadata, block, lostBallots(box, bad));
    const outcome = await this.#repairer.repair(block, bad);
    if (outcome.state === 'superseded') return;
    this.#progress.dissents++;
    if (outcome.state === 'no-quorum') {
      this.#unreadable(block);
      return;
    }
    recordOutcome(this.#runtime.log, block, wrong, outcome, { during: 'scrub' });
    this.#progress.repaired += outcome.repaired.length;
  }

  #unreadable({ inode, index, version }: LocatedBlock): void {
    this.#progress.unreadable++;
    this.#runtime.log.error('vote.no_quorum', { inode, index, version, during: 'scrub' });
  }

  /** A server that does not answer keeps its orphans until the next scrub. */
  async #removeOrphans(replica: Replica, below: Version): Promise<void> {
    try {
      for await (const removed of removeOrphanedVersions(this.#metadata, replica, below)) {
        if (removed > 0) {
          this.#progress.orphansRemoved += removed;
          this.#runtime.log.info('scrub.orphans', { server: replica.name, versions: removed });
        }
        if (this.#closed || !replica.reachable) return;
      }
    } catch (error) {
      this.#runtime.log.warn('scrub.orphans_kept', { server: replica.name, ...errorFields(error) });
    }
  }
}

function lostBallots(box: BallotBox, replicas: readonly Replica[]): Map<Replica, LostBallot> {
  const lost = new Map<Replica, LostBallot>();
  for (const replica of replicas) lost.set(replica, box.lostBallot(replica) ?? null);
  return lost;
}
