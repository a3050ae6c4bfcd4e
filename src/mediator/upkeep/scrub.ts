// Scrub: votes on every block, every byte of every replica, repairs what
// dissents, and removes versions that no file holds and no write will commit
// (left by writes that failed while a server was away).
import type { ScrubProgress } from '../../protocol/services/admin.js';
import type { BlockKey, Version } from '../../protocol/services/blocks.js';
import type { BlockReference, MetadataService } from '../../protocol/services/metadata.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import { isNamed, namedVersions } from '../metadata/named-versions.js';
import type { Versions } from '../metadata/versions.js';
import { forgetVersions } from '../replicas/forget.js';
import type { Replica } from '../replicas/replica.js';
import type { ReplicaSet } from '../replicas/replica-set.js';
import type { BallotBox } from '../voting/ballot-box.js';
import { blamed } from '../voting/blame.js';
import type { Reader } from '../voting/reader.js';
import type { Ballot } from '../voting/vote.js';
import { type Mended, type Repairer, wasGiven } from './repair.js';

const BATCH_BLOCKS = 32;
const LIST_ENTRIES = 1000;

type LocatedBlock = BlockReference & { inode: number };

export class Scrubber {
  #progress: ScrubProgress = {
    running: false,
    done: 0,
    total: 0,
    dissents: 0,
    repaired: 0,
    unreadable: 0,
    orphansRemoved: 0,
  };
  #closed = false;
  #running: Promise<void> = Promise.resolve();

  readonly #metadata: MetadataService;
  readonly #replicas: ReplicaSet;
  readonly #reader: Reader;
  readonly #repairer: Repairer;
  readonly #versions: Versions;
  readonly #runtime: Runtime;

  constructor(
    metadata: MetadataService,
    replicas: ReplicaSet,
    reader: Reader,
    repairer: Repairer,
    versions: Versions,
    runtime: Runtime,
  ) {
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

  /** Starts a scrub of one file, or of everything; while one runs, answers that one's progress. */
  async start(inode: number | null): Promise<ScrubProgress> {
    if (this.#progress.running) return this.progress;
    this.#progress = { running: true, done: 0, total: 0, dissents: 0, repaired: 0, unreadable: 0, orphansRemoved: 0 };
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
      const bad = box.dissenters();
      if (bad.length === 0) {
        if (box.agreeing().length < this.#reader.quorum) await this.#unreadable(block);
        continue;
      }
      const wrong = await blamed(this.#metadata, block, ballotsOf(box, bad));
      const outcome = await this.#repairer.mend(block.inode, block, bad);
      if (!(await isNamed(this.#metadata, block))) {
        await forgetVersions(this.#metadata, outcome?.mended ?? [], [block]);
        continue;
      }
      this.#progress.dissents++;
      if (outcome === null) await this.#unreadable(block);
      else this.#mended(box, wrong, outcome);
    }
  }

  /** @param wrong those that dissented by their own fault */
  #mended(box: BallotBox, wrong: readonly Replica[], outcome: Mended): void {
    const { inode, reference } = box.wanted;
    const fields = { inode, index: reference.index, version: reference.version };
    for (const replica of wrong) {
      if (box.ballots.get(replica)?.state === 'absent' && wasGiven(replica, outcome)) continue;
      replica.dissents++;
      this.#runtime.log.warn('vote.dissent', { ...fields, server: replica.name, ballot: 'scrub' });
    }
    for (const replica of outcome.mended) {
      replica.repairs++;
      this.#runtime.log.info('repair.done', { ...fields, server: replica.name });
    }
    this.#progress.repaired += outcome.mended.length;
  }

  async #unreadable(block: LocatedBlock): Promise<void> {
    if (!(await isNamed(this.#metadata, block))) return;
    this.#progress.unreadable++;
    this.#runtime.log.error('vote.no_quorum', {
      inode: block.inode,
      index: block.index,
      version: block.version,
      during: 'scrub',
    });
  }

  /** A server that does not answer keeps its orphans until the next scrub; the others lose theirs. */
  async #removeOrphans(replica: Replica, below: Version): Promise<void> {
    try {
      await this.#removeAll(replica, below);
    } catch (error) {
      this.#runtime.log.warn('scrub.orphans_kept', { server: replica.name, ...errorFields(error) });
    }
  }

  /** Of the versions below `below`, none that the block map does not name will ever be named. */
  async #removeAll(replica: Replica, below: Version): Promise<void> {
    let after: BlockKey | undefined;
    while (!this.#closed && replica.reachable) {
      const request = after === undefined ? { limit: LIST_ENTRIES } : { after, limit: LIST_ENTRIES };
      const { entries, next } = await replica.call(() => replica.blocks.list(request));
      const ranges = new Map<number, { first: number; last: number }>();
      for (const { inode, index } of entries) {
        const range = ranges.get(inode) ?? { first: index, last: index };
        ranges.set(inode, { first: Math.min(range.first, index), last: Math.max(range.last, index) });
      }
      const orphans: BlockKey[] = [];
      for (const [inode, { first, last }] of ranges) {
        const current = await namedVersions(this.#metadata, inode, first, last);
        for (const entry of entries) {
          if (entry.inode !== inode || entry.version >= below || current.get(entry.index) === entry.version) continue;
          orphans.push({ inode, index: entry.index, version: entry.version });
        }
      }
      if (orphans.length > 0) {
        await forgetVersions(this.#metadata, [replica], orphans);
        this.#progress.orphansRemoved += orphans.length;
        this.#runtime.log.info('scrub.orphans', { server: replica.name, versions: orphans.length });
      }
      if (next === undefined) return;
      after = next;
    }
  }
}

/** With which ballots these lost the vote; null for those that are still being sent everything. */
function ballotsOf(box: BallotBox, replicas: readonly Replica[]): Map<Replica, Ballot['state'] | null> {
  const stateOf = (replica: Replica) => (box.isToBlame(replica) ? box.ballots.get(replica)?.state : null) ?? null;
  return new Map(replicas.map((replica) => [replica, stateOf(replica)]));
}
