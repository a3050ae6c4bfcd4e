// Writing: new versions beside the old ones on at least Qw replicas, flushed
// (replica-write.ts); then one metadata transaction switches the block map
// (commit.ts). Whatever fails before that leaves the old content, and the new
// versions are taken back.
import { FileError } from '../../protocol/errors.js';
import { endOf } from '../../protocol/services/blocks.js';
import { type Attributes, MAXIMUM_FILE_BYTES } from '../../protocol/services/files.js';
import type { BlockChange, MetadataService } from '../../protocol/services/metadata.js';
import type { RequestIds } from '../../protocol/values/request-ids.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { Counters } from '../counters.js';
import type { BlockMap } from '../metadata/block-map.js';
import type { Versions } from '../metadata/versions.js';
import type { ReplicaSet } from '../replicas/replica-set.js';
import type { MediatorSettings } from '../settings.js';
import type { Reader } from '../voting/reader.js';
import { BaseRepair } from './base-repair.js';
import { planBlocks } from './block-plans.js';
import { Committer } from './commit.js';
import { type FileWrite, scopeOf, type WriteScope } from './file-write.js';
import { Leftovers } from './leftovers.js';
import type { PreparedBlock } from './put-messages.js';
import { RangeLocks } from './range-locks.js';
import { ReplicaWrite, type ReplicaWriteParts } from './replica-write.js';
import { WriteTimes } from './write-times.js';

/** Attempts to win the compare-and-set against other mediators before the write gives up with EIO. */
const MAXIMUM_ATTEMPTS = 50;

/** Keeps appends in order. */
export interface WriteOrder {
  /** Called when the write is queued for its range lock: later writes of the same blocks come behind it. */
  queued(): void;
  /** Resolves when it may be committed; rejects when it must not. */
  beforeCommit(): Promise<unknown>;
}

interface Dependencies {
  metadata: MetadataService;
  ids: RequestIds;
  replicas: ReplicaSet;
  blockMap: BlockMap;
  reader: Reader;
  versions: Versions;
  settings: MediatorSettings;
  /** Of a data server. */
  deadlineMs: number;
  counters: Counters;
  runtime: Runtime;
  /** Called when a write was committed that some server lacks. */
  onMissing: () => void;
}

export class FileWriter {
  readonly #locks = new RangeLocks();
  readonly #times = new WriteTimes();
  readonly #committer: Committer;
  readonly #replicaWriteParts: ReplicaWriteParts;

  readonly #replicas: ReplicaSet;
  readonly #blockMap: BlockMap;
  readonly #versions: Versions;
  readonly #settings: MediatorSettings;
  readonly #counters: Counters;
  readonly #runtime: Runtime;
  readonly #onMissing: () => void;

  constructor(dependencies: Dependencies) {
    const { metadata, ids, replicas, blockMap, reader, versions, settings, deadlineMs, counters, runtime } =
      dependencies;
    const { clock } = runtime;
    this.#replicas = replicas;
    this.#blockMap = blockMap;
    this.#versions = versions;
    this.#settings = settings;
    this.#counters = counters;
    this.#runtime = runtime;
    this.#onMissing = dependencies.onMissing;
    this.#committer = new Committer({ metadata, ids, blockMap, versions, times: this.#times, counters, clock });
    this.#replicaWriteParts = {
      leftovers: new Leftovers(metadata, replicas, runtime),
      baseRepair: new BaseRepair(metadata, reader, runtime.log),
      replicas,
      settings,
      deadlineMs,
      runtime,
    };
  }

  /** Files that are being written. */
  get size(): number {
    return this.#locks.size;
  }

  /**
   * Resolves when Qw servers can be reached. When a file is opened, servers that have been silent are asked to answer, since many
   * programs ignore the errors of later writes and of close.
   * @throws FileError EIO when they can't be reached and the setting says 'fail'
   */
  async requireQuorum(inode: number | null, when: 'opening' | 'writing'): Promise<void> {
    for (;;) {
      const { admissions } = this.#replicas;
      const needed = this.#settings.writeQuorum;
      const reachable = this.#replicas.reachable().length;
      if (reachable >= needed && (when === 'writing' || (await this.#replicas.confirm(needed)))) return;
      if (this.#settings.onWriteQuorumLost === 'fail') {
        await this.#replicas.untilSettled(needed);
        if (this.#replicas.reachable().length >= needed && this.#replicas.admissions !== admissions) continue;
        this.#counters.add('writesRefused');
        this.#runtime.log.warn('write.refused', { inode, writeQuorum: needed });
        throw new FileError('EIO', `fewer than ${needed} data servers can be reached, too few to write`);
      }
      await this.#replicas.untilReachable(needed);
    }
  }

  /** Carries out one write as one commit; see FileService.write. */
  async write(write: FileWrite, order?: WriteOrder): Promise<Attributes> {
    const { clock } = this.#runtime;
    const startMs = clock.monotonicMs();
    this.#times.begun(write.inode);
    try {
      return await this.#write(write, order);
    } finally {
      this.#times.ended(write.inode);
      this.#counters.writeDurations.note(clock.monotonicMs() - startMs);
    }
  }

  async #write(write: FileWrite, order: WriteOrder | undefined): Promise<Attributes> {
    const end = Math.max(endOf(write.extents), write.truncateTo ?? 0, write.minimumSizeBytes ?? 0);
    if (end > MAXIMUM_FILE_BYTES) throw new FileError('EFBIG', `files end at ${MAXIMUM_FILE_BYTES} bytes`);
    await this.requireQuorum(write.inode, 'writing');
    const { attributes } = await this.#blockMap.load(write.inode, 0, 1);
    const scope = scopeOf(write, attributes.blockSizeBytes);
    this.#counters.add('writes');
    for (const { data } of write.extents) this.#counters.add('writeBytes', data.length);
    const storing = this.#locks.run(write.inode, scope.first, scope.last, () => this.#attempts(write, scope, order));
    order?.queued();
    return storing;
  }

  async #attempts(write: FileWrite, scope: WriteScope, order: WriteOrder | undefined): Promise<Attributes> {
    for (let attempt = 0; attempt < MAXIMUM_ATTEMPTS; attempt++) {
      const { plans, holes } = await planBlocks(this.#blockMap, write, scope);
      const first = plans.length === 0 ? null : await this.#versions.take(plans.length);
      try {
        const blocks = plans.map((plan, at): PreparedBlock => ({ plan, version: (first ?? 0) + at, hash: null }));
        const attributes = await this.#attempt(write, scope, blocks, holes, order);
        if (attributes !== null) return attributes;
      } finally {
        if (first !== null) this.#versions.settled(first);
      }
    }
    this.#runtime.log.error('write.starved', { inode: write.inode, attempts: MAXIMUM_ATTEMPTS });
    throw new FileError('EIO', `other writers of the same blocks won ${MAXIMUM_ATTEMPTS} times`);
  }

  /** Stores new versions and commits them; null when the write must start over, upon what is there by then. */
  async #attempt(
    write: FileWrite,
    scope: WriteScope,
    blocks: readonly PreparedBlock[],
    holes: readonly BlockChange[],
    order: WriteOrder | undefined,
  ): Promise<Attributes | null> {
    const replicaWrite = new ReplicaWrite(this.#replicaWriteParts);
    const { admissions } = this.#replicas;
    let missing: string[];
    try {
      missing = await replicaWrite.store(write.inode, blocks);
      await order?.beforeCommit();
    } catch (error) {
      replicaWrite.takeBack();
      if (!(error instanceof FileError && error.code === 'EIO')) throw error;
      await this.#replicas.untilSettled(Number.POSITIVE_INFINITY);
      const isLost = replicaWrite.isUnanswered && this.#settings.onWriteQuorumLost === 'block';
      if (!isLost && this.#replicas.admissions === admissions) throw error;
      await this.requireQuorum(write.inode, 'writing');
      return null;
    }
    const stored = { blocks, holes, missing, replicaWrite };
    const request = this.#committer.request(write, scope, stored);
    const result = await this.#committer.send(request, write.id, replicaWrite);
    const attributes = this.#committer.conclude(write, scope, stored, result);
    if (attributes !== null && missing.length > 0) this.#onMissing();
    return attributes;
  }
}
