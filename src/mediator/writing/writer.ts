// Writing: new versions beside the old ones on at least Qw replicas, flushed;
// then one metadata transaction switches the block map. Whatever fails before
// that leaves the old content, and the new versions are taken away again.
import { FileError, ServiceError } from '../../protocol/errors.js';
import type { Extent, Version } from '../../protocol/services/blocks.js';
import { type Attributes, MAXIMUM_FILE_BYTES } from '../../protocol/services/files.js';
import type { BlockChange, BlockReference, Commands, MetadataService } from '../../protocol/services/metadata.js';
import type { Attempt, RequestId, RequestIds } from '../../protocol/values/request-ids.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { Counters } from '../counters.js';
import type { BlockMap } from '../metadata/block-map.js';
import type { Versions } from '../metadata/versions.js';
import type { ReplicaSet } from '../replicas/replica-set.js';
import type { MediatorSettings } from '../settings.js';
import type { Reader } from '../voting/reader.js';
import { Leftovers } from './leftovers.js';
import { RangeLocks } from './range-locks.js';
import { type PreparedBlock, ReplicaWrite } from './replica-write.js';
import { type BlockPlan, planBlock, touchedBlocks } from './write-plan.js';
import { WriteTimes } from './write-times.js';
import { type ByteRange, blocksOf, coveredBlocks, edgeBlocks, planZeros } from './zero-plan.js';

/** Attempts to win the compare-and-set against other mediators before the write gives up with EIO. */
const MAXIMUM_ATTEMPTS = 50;

export interface FileWrite extends Attempt {
  inode: number;
  extents: readonly Extent[];
  truncateTo: number | null;
  /** Reads as zeros afterwards; only without extents and without a cut. */
  zeros?: ByteRange;
  /** The file is at least as long afterwards. */
  minimumSizeBytes?: number;
  /** Null: before the times that the file has now. */
  modifyTimeNs: bigint | null;
}

/** What holds between writes that were given places one behind the other. */
export interface WriteOrder {
  /** Writes that come from now on to the same blocks come behind this one. */
  claimed(): void;
  /** Resolves when it may be committed; rejects when it must not. */
  before(): Promise<unknown>;
}

export class Writer {
  readonly #locks = new RangeLocks();
  readonly #leftovers: Leftovers;
  readonly #times = new WriteTimes();

  readonly #metadata: MetadataService;
  readonly #ids: RequestIds;
  readonly #replicas: ReplicaSet;
  readonly #blockMap: BlockMap;
  readonly #reader: Reader;
  readonly #versions: Versions;
  readonly #settings: MediatorSettings;
  readonly #deadlineMs: number;
  readonly #counters: Counters;
  readonly #runtime: Runtime;
  readonly #onMissing: () => void;

  constructor(
    metadata: MetadataService,
    ids: RequestIds,
    replicas: ReplicaSet,
    blockMap: BlockMap,
    reader: Reader,
    versions: Versions,
    settings: MediatorSettings,
    deadlineMs: number,
    counters: Counters,
    runtime: Runtime,
    onMissing: () => void,
  ) {
    this.#metadata = metadata;
    this.#ids = ids;
    this.#replicas = replicas;
    this.#blockMap = blockMap;
    this.#reader = reader;
    this.#versions = versions;
    this.#settings = settings;
    this.#deadlineMs = deadlineMs;
    this.#counters = counters;
    this.#runtime = runtime;
    this.#onMissing = onMissing;
    this.#leftovers = new Leftovers(metadata, replicas, runtime);
  }

  /** Files that are being written. */
  get size(): number {
    return this.#locks.size;
  }

  /**
   * Resolves when Qw servers can be reached; before a file is opened for writing they are asked to answer, since many
   * programs do not look at what close returns.
   * @throws FileError EIO when they can't and the setting says 'fail'
   */
  async requireQuorum(inode: number | null, when: 'opening' | 'writing'): Promise<void> {
    for (;;) {
      const needed = this.#settings.writeQuorum;
      const reachable = this.#replicas.reachable().length;
      if (reachable >= needed && (when === 'writing' || (await this.#replicas.confirm(needed)))) return;
      if (this.#settings.onWriteQuorumLost === 'fail') {
        this.#counters.add('writesRefused');
        this.#runtime.log.warn('write.refused', { inode, writeQuorum: needed });
        throw new FileError('EIO', `fewer than ${needed} data servers can be reached, too few to write`);
      }
      await this.#replicas.untilReachable(needed);
    }
  }

  /** Carries out one write as one commit; see FileService.write. */
  async write(write: FileWrite, order?: WriteOrder): Promise<Attributes> {
    this.#times.begun(write.inode);
    try {
      return await this.#write(write, order);
    } finally {
      this.#times.ended(write.inode);
    }
  }

  async #write(write: FileWrite, order: WriteOrder | undefined): Promise<Attributes> {
    const end = write.extents.reduce(
      (most, { offset, data }) => Math.max(most, offset + data.length),
      Math.max(write.truncateTo ?? 0, write.minimumSizeBytes ?? 0),
    );
    if (end > MAXIMUM_FILE_BYTES) throw new FileError('EFBIG', `files end at ${MAXIMUM_FILE_BYTES} bytes`);
    await this.requireQuorum(write.inode, 'writing');
    const { attributes } = await this.#blockMap.load(write.inode, 0, 1);
    const blockSize = attributes.blockSizeBytes;
    const { zeros } = write;
    const touched: ReadonlyMap<number, readonly Extent[]> =
      zeros === undefined
        ? touchedBlocks(write, blockSize)
        : new Map(edgeBlocks(zeros, blockSize).map((index) => [index, []]));
    const [first, last] = zeros === undefined ? claim(write, [...touched.keys()]) : blocksOf(zeros, blockSize);
    this.#counters.add('writes');
    for (const { data } of write.extents) this.#counters.add('writeBytes', data.length);
    const storing = this.#locks.run(write.inode, first, last, () => this.#attempts(write, touched, blockSize, order));
    order?.claimed();
    return storing;
  }

  async #attempts(
    write: FileWrite,
    touched: ReadonlyMap<number, readonly Extent[]>,
    blockSize: number,
    order: WriteOrder | undefined,
  ): Promise<Attributes> {
    const minimumSizeBytes = write.extents.reduce(
      (most, { offset, data }) => (data.length === 0 ? most : Math.max(most, offset + data.length)),
      write.minimumSizeBytes ?? 0,
    );
    for (let attempt = 0; attempt < MAXIMUM_ATTEMPTS; attempt++) {
      const bases = await this.#bases(write.inode, [...touched.keys()]);
      const plans: BlockPlan[] = [];
      // A cut through a hole must fail if another writer has put a block there: what it leaves of it would come to light later.
      const holes: BlockChange[] = [];
      for (const [index, extents] of touched) {
        const base = bases.get(index) ?? null;
        const { zeros, truncateTo } = write;
        const plan =
          zeros === undefined
            ? planBlock({ extents, truncateTo }, index, blockSize, base)
            : planZeros(zeros, index, blockSize, base);
        if (plan !== null) plans.push(plan);
        else holes.push({ index, base: base?.version ?? 0, next: null });
      }
      const first = plans.length === 0 ? null : await this.#versions.take(plans.length);
      try {
        const prepared = plans.map((plan, at): PreparedBlock => ({ plan, version: (first ?? 0) + at, hash: null }));
        const attributes = await this.#attempt(write, prepared, holes, minimumSizeBytes, blockSize, order);
        if (attributes !== null) return attributes;
      } finally {
        if (first !== null) this.#versions.settled(first);
      }
    }
    this.#runtime.log.error('write.starved', { inode: write.inode, attempts: MAXIMUM_ATTEMPTS });
    throw new FileError('EIO', `other writers of the same blocks won ${MAXIMUM_ATTEMPTS} times`);
  }

  /** Stores new versions and commits them; null when it must be tried again, upon what is there by then. */
  async #attempt(
    write: FileWrite,
    prepared: readonly PreparedBlock[],
    holes: readonly BlockChange[],
    minimumSizeBytes: number,
    blockSize: number,
    order: WriteOrder | undefined,
  ): Promise<Attributes | null> {
    const hole = write.zeros === undefined ? undefined : coveredBlocks(write.zeros, blockSize);
    const replicaWrite = new ReplicaWrite(
      this.#metadata,
      this.#leftovers,
      this.#replicas,
      this.#reader,
      this.#settings,
      this.#deadlineMs,
      this.#runtime,
    );
    let missing: string[];
    try {
      missing = await replicaWrite.store(write.inode, prepared);
      await order?.before();
    } catch (error) {
      replicaWrite.takeBack();
      const { onWriteQuorumLost } = this.#settings;
      const isLost = error instanceof FileError && error.code === 'EIO' && replicaWrite.isUnanswered;
      if (!isLost || onWriteQuorumLost === 'fail') throw error;
      await this.requireQuorum(write.inode, 'writing');
      return null;
    }
    const request: Commands['commit']['request'] = {
      inode: write.inode,
      changes: [...prepared.map(changeOf), ...holes],
      truncateTo: write.truncateTo,
      ...(hole === undefined ? {} : { hole }),
      minimumSizeBytes,
      modifyTimeNs: this.#times.ofCommit(write.inode, write.modifyTimeNs),
      missing,
    };
    const { id } = write;
    const result = await (id === undefined
      ? this.#ids.run((own) => this.#commit(request, own, replicaWrite))
      : this.#commit(request, id, replicaWrite));
    if (result.state === 'committed') {
      const from = write.truncateTo === null ? null : Math.ceil(write.truncateTo / blockSize);
      this.#blockMap.committed(
        result.attributes,
        from,
        [
          ...prepared.map((block) => ({ index: block.plan.index, next: reference(block) })),
          ...holes.map(({ index }) => ({ index, next: null })),
        ],
        hole,
      );
      this.#counters.add('commits');
      if (missing.length > 0) this.#onMissing();
      return result.attributes;
    }
    if (result.state === 'retired') this.#versions.retired(result.below);
    this.#counters.add('commitConflicts');
    this.#blockMap.forget(write.inode);
    replicaWrite.takeBack();
    return null;
  }

  async #bases(inode: number, touched: readonly number[]): Promise<Map<number, BlockReference | null>> {
    const bases = new Map<number, BlockReference | null>();
    let at = 0;
    while (at < touched.length) {
      // Neighbours go in one lookup.
      const first = touched[at] ?? 0;
      let count = 1;
      while (touched[at + count] === first + count) count++;
      const { entries } = await this.#blockMap.load(inode, first, count);
      entries.forEach((entry, position) => {
        bases.set(first + position, entry);
      });
      at += count;
    }
    return bases;
  }

  /**
   * Sends the commit; when it is not answered in time, once more under the same id. What was carried out before with other
   * versions (a client asked again) makes these needless.
   */
  async #commit(
    request: Commands['commit']['request'],
    id: RequestId,
    replicaWrite: ReplicaWrite,
  ): Promise<Commands['commit']['result']> {
    for (let isRepetition = false; ; isRepetition = true) {
      try {
        const timeNs = this.#runtime.clock.nowNs();
        const result = await this.#metadata.execute({ name: 'commit', timeNs, request, durable: true, id });
        if (result.state === 'committed' && result.earlier !== undefined) {
          if (result.earlier !== firstVersion(request)) replicaWrite.takeBack();
          // Others may have written since: these attributes may be of more than this commit.
          this.#blockMap.forget(request.inode);
        }
        return result;
      } catch (error) {
        if (error instanceof FileError) {
          replicaWrite.takeBack();
          throw error;
        }
        const isLate = error instanceof ServiceError && error.code === 'DEADLINE';
        // An unknown outcome leaves the new versions where they are: the block map may already name them.
        if (!isLate || isRepetition) {
          this.#blockMap.forget(request.inode);
          throw error;
        }
      }
    }
  }
}

function changeOf(block: PreparedBlock): BlockChange {
  return { index: block.plan.index, base: block.plan.base?.version ?? 0, next: reference(block) };
}

/** The block map's new entry for a block that the replicas have stored. */
function reference({ plan, version, hash }: PreparedBlock): BlockReference {
  if (hash === null) throw new Error(`block ${plan.index} was stored without a hash`);
  return { index: plan.index, version, hash, length: plan.length };
}

/** The blocks that a write must have for itself; a cut takes all that follow, since it changes the size. */
function claim({ truncateTo }: FileWrite, touched: readonly number[]): [first: number, last: number] {
  if (truncateTo !== null) return [0, Number.POSITIVE_INFINITY];
  const first = touched[0] ?? Number.POSITIVE_INFINITY;
  return [first, touched.at(-1) ?? first];
}

/** The version by which a commit is told from another attempt at the same; 0 when it puts none. */
function firstVersion({ changes }: Commands['commit']['request']): Version {
  return changes.find(({ next }) => next !== null)?.next?.version ?? 0;
}
