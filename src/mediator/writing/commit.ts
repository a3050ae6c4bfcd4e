// The commit of a write whose new versions are stored: one metadata transaction
// switches the block map to them, by compare-and-set. A cut that is too large
// for one command is made step by step before. Versions that are not needed after
// all are taken back, unless the outcome is unknown: the block map may name them
// then.
import { FileError, ServiceError } from '../../protocol/errors.js';
import type { Version } from '../../protocol/services/blocks.js';
import type { Attributes } from '../../protocol/services/files.js';
import type { BlockChange, BlockReference, Commands, MetadataService } from '../../protocol/services/metadata.js';
import type { RequestId, RequestIds } from '../../protocol/values/request-ids.js';
import { assert } from '../../runtime/assert.js';
import type { Clock } from '../../runtime/clock.js';
import type { Counters } from '../counters.js';
import type { BlockMap } from '../metadata/block-map.js';
import type { Versions } from '../metadata/versions.js';
import type { FileWrite, WriteScope } from './file-write.js';
import type { PreparedBlock } from './put-messages.js';
import type { ReplicaWrite } from './replica-write.js';
import type { WriteTimes } from './write-times.js';

type CommitRequest = Commands['commit']['request'];
type CommitResult = Commands['commit']['result'];
/** What ends a commit. */
type Outcome = Exclude<CommitResult, { state: 'large' }>;

/** New versions that are on enough replicas. */
export interface Stored {
  blocks: readonly PreparedBlock[];
  holes: readonly BlockChange[];
  /** Names of the servers that lack any of the blocks. */
  missing: string[];
  replicaWrite: ReplicaWrite;
}

interface Dependencies {
  metadata: MetadataService;
  ids: RequestIds;
  blockMap: BlockMap;
  versions: Versions;
  times: WriteTimes;
  counters: Counters;
  clock: Clock;
}

export class Committer {
  readonly #metadata: MetadataService;
  readonly #ids: RequestIds;
  readonly #blockMap: BlockMap;
  readonly #versions: Versions;
  readonly #times: WriteTimes;
  readonly #counters: Counters;
  readonly #clock: Clock;

  constructor({ metadata, ids, blockMap, versions, times, counters, clock }: Dependencies) {
    this.#metadata = metadata;
    this.#ids = ids;
    this.#blockMap = blockMap;
    this.#versions = versions;
    this.#times = times;
    this.#counters = counters;
    this.#clock = clock;
  }

  request(write: FileWrite, scope: WriteScope, { blocks, holes, missing }: Stored): CommitRequest {
    const { hole, minimumSizeBytes } = scope;
    return {
      inode: write.inode,
      changes: [...blocks.map(changeOf), ...holes],
      truncateTo: write.truncateTo,
      ...(hole === undefined ? {} : { hole }),
      minimumSizeBytes,
      modifyTimeNs: this.#times.ofCommit(write.inode, write.modifyTimeNs),
      missing,
    };
  }

  /** @param id of the client's request; without it the commit gets one of this mediator's */
  send(request: CommitRequest, id: RequestId | undefined, replicaWrite: ReplicaWrite): Promise<Outcome> {
    if (id !== undefined) return this.#send(request, id, replicaWrite);
    return this.#ids.run((own) => this.#send(request, own, replicaWrite));
  }

  /**
   * Brings the block map up to date with the answer.
   * @returns null when another writer was first, or the versions are retired: the write must start over with new ones
   */
  conclude(write: FileWrite, scope: WriteScope, stored: Stored, result: Outcome): Attributes | null {
    if (result.state === 'committed') {
      const from = write.truncateTo === null ? null : Math.ceil(write.truncateTo / scope.blockSize);
      this.#blockMap.committed(
        result.attributes,
        from,
        [
          ...stored.blocks.map((block) => ({ index: block.plan.index, next: referenceTo(block) })),
          ...stored.holes.map(({ index }) => ({ index, next: null })),
        ],
        scope.hole,
      );
      this.#counters.add('commits');
      return result.attributes;
    }
    if (result.state === 'retired') this.#versions.retired(result.below);
    this.#counters.add('commitConflicts');
    this.#blockMap.forget(write.inode);
    stored.replicaWrite.takeBack();
    return null;
  }

  async #send(given: CommitRequest, id: RequestId, replicaWrite: ReplicaWrite): Promise<Outcome> {
    for (let request = given; ; ) {
      const result = await this.#sendOnce(request, id, replicaWrite);
      if (result.state !== 'large') return result;
      await this.#trim(request, result.attributes);
      request = withoutDropped(request, result.attributes.blockSizeBytes);
    }
  }

  /**
   * Drops all that the commit is to drop. Each step is durable: readers have seen the size in between, and a crash must not
   * bring the larger one back. When a step fails, the new versions stay, since the commit may have been sent twice, and the
   * first one may still arrive.
   */
  async #trim({ inode, truncateTo, hole, modifyTimeNs }: CommitRequest, attributes: Attributes): Promise<void> {
    const cut = { truncateTo, ...(hole === undefined ? {} : { hole }), modifyTimeNs };
    let { revision } = attributes;
    try {
      for (let done = false; !done; ) {
        const timeNs = this.#clock.nowNs();
        const request = { inode, revision, ...cut };
        const result = await this.#metadata.execute({ name: 'trim', timeNs, request, durable: true });
        this.#blockMap.observe(result.attributes);
        ({ done } = result);
        ({ revision } = result.attributes);
      }
    } finally {
      // A step that failed may have been made.
      this.#blockMap.forget(inode);
    }
  }

  /** Sends the commit; when it is not answered in time, a second time under the same id. */
  async #sendOnce(request: CommitRequest, id: RequestId, replicaWrite: ReplicaWrite): Promise<CommitResult> {
    for (let isRepetition = false; ; isRepetition = true) {
      try {
        const timeNs = this.#clock.nowNs();
        const result = await this.#metadata.execute({ name: 'commit', timeNs, request, durable: true, id });
        if (result.state === 'committed' && result.earlier !== undefined) {
          // The client has asked again, and its first attempt was committed with other versions: these are not needed.
          if (result.earlier !== firstVersion(request)) replicaWrite.takeBack();
          // Others may have written since, so the attributes may include later commits.
          this.#blockMap.forget(request.inode);
        }
        return result;
      } catch (error) {
        if (error instanceof FileError) {
          replicaWrite.takeBack();
          throw error;
        }
        const isLate = error instanceof ServiceError && error.code === 'DEADLINE';
        if (!isLate || isRepetition) {
          this.#blockMap.forget(request.inode);
          throw error;
        }
      }
    }
  }
}

/** The commit once the blocks that it drops are gone. Of such a block nothing is left in what replaces it. */
function withoutDropped(request: CommitRequest, blockSizeBytes: number): CommitRequest {
  const { truncateTo, hole, changes } = request;
  const isDropped = (index: number) =>
    (truncateTo !== null && index * blockSizeBytes >= truncateTo) ||
    (hole !== undefined && index >= hole.first && index < hole.end);
  return { ...request, changes: changes.map((change) => (isDropped(change.index) ? { ...change, base: 0 } : change)) };
}

function changeOf(block: PreparedBlock): BlockChange {
  return { index: block.plan.index, base: block.plan.base?.version ?? 0, next: referenceTo(block) };
}

/** The block map's new entry for a block that the replicas have stored. */
function referenceTo({ plan, version, hash }: PreparedBlock): BlockReference {
  assert(hash !== null, 'a block is stored with its hash');
  return { index: plan.index, version, hash, length: plan.length };
}

/** The version by which the metaserver tells attempts at the same commit apart; 0 when it puts none. */
function firstVersion({ changes }: CommitRequest): Version {
  return changes.find(({ next }) => next !== null)?.next?.version ?? 0;
}
