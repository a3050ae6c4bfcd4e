// What a metaserver's store is to the log in etcd, and how it comes to follow it. A store with names of its own is never given up:
// an empty prefix goes on from it, any other log is refused.
import type { MemberId, Members } from '../../replication/core/members.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { sleep } from '../../runtime/clock.js';
import { randomHex } from '../../runtime/random.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { BaseStorage } from '../engine/storage.js';
import { settleAlone } from '../storage/group-engine.js';
import { encodeProgress, etcdLogOf, etcdMemberId, PROGRESS_KEY, type Progress } from '../storage/progress.js';
import { EtcdError } from './etcd-error.js';
import type { Look, SharedLog } from './shared-log.js';

const PAUSE_MS = 200;
const LOG_ID_BYTES = 8;
/** What a log has that begins with an empty store, and with one that has names. A blank store lacks the latter. */
const EMPTY_INDEX = 0;
const FULL_INDEX = 1;
const NOBODY: Members = { voters: [], learners: [] };

export interface FoundingParts {
  name: string;
  cluster: string;
  directory: string;
  prefix: string;
  base: BaseStorage;
  log: SharedLog;
  runtime: Runtime;
  /** Of the store, as it was opened; undefined for an empty one. */
  progress: Progress | undefined;
  /** Whether this server, with an empty store, is the one to begin a log: all others are known to be blank as well. */
  mayFound: () => boolean;
  isClosed: () => boolean;
  /** Why etcd does not answer; null when it does. */
  noteTrouble: (error: EtcdError | null) => void;
}

/** Where a store that follows a log is in it. Waits for etcd; undefined after a close. Rejects with an EtcdError that is for people. */
export async function findLog(parts: FoundingParts): Promise<Progress | undefined> {
  const { runtime, isClosed, noteTrouble } = parts;
  while (!isClosed()) {
    let look: Look;
    try {
      look = await parts.log.look();
      const progress = await follow(parts, look);
      noteTrouble(null);
      if (progress !== undefined) return progress;
      await begin(parts, look);
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      if (error instanceof StoreError) throw error;
      noteTrouble(error);
    }
    await sleep(runtime.clock, PAUSE_MS);
  }
  return undefined;
}

/** The store does not belong to what etcd has. */
class StoreError extends EtcdError {
  constructor(message: string) {
    super('refused', message);
  }
}

/** undefined while there is no log that it could follow. */
async function follow(parts: FoundingParts, { cluster, head }: Look): Promise<Progress | undefined> {
  const { name, prefix, base, directory, progress } = parts;
  const own = progress === undefined ? null : etcdLogOf(progress.self);
  if (cluster === null || head === null) {
    if (own === null) return undefined;
    throw new StoreError(
      `etcd has no log under ${prefix}, and the store in ${directory} follows log ${own}: was it removed, or is this another etcd?`,
    );
  }
  if (cluster.cluster !== parts.cluster) {
    throw new StoreError(
      `the log under ${prefix} is that of cluster "${cluster.cluster}", not of "${parts.cluster}": choose another etcd.prefix`,
    );
  }
  if (own !== null && own !== cluster.id) {
    throw new StoreError(
      `the log under ${prefix} is ${cluster.id}, and the store in ${directory} follows log ${own}: is this another etcd?`,
    );
  }
  if (own !== null) return progress;
  const self = etcdMemberId(name, cluster.id);
  if (progress === undefined) return become(base, { self, mark: markAt(EMPTY_INDEX), digest: 0n });
  // Whoever has begun the log from this store was interrupted: nobody else can have written.
  if (cluster.founder === progress.self) {
    // It may have gone on alone since.
    await settle(parts, progress);
    return become(base, { self, mark: markAt(FULL_INDEX), digest: parts.progress?.digest ?? progress.digest });
  }
  throw new StoreError(
    `the store in ${directory} has names of its own, and etcd has the log ${cluster.id} of others under ${prefix}: ` +
      'move the folder away to have it filled by the others, or choose an empty etcd.prefix to go on from it',
  );
}

async function begin(parts: FoundingParts, { cluster }: Look): Promise<void> {
  const { name, prefix, log, runtime, progress, mayFound } = parts;
  if (cluster !== null || (progress === undefined && !mayFound())) return;
  if (progress !== undefined) await settle(parts, progress);
  const id = randomHex(runtime.random, LOG_ID_BYTES);
  const index = progress === undefined ? EMPTY_INDEX : FULL_INDEX;
  const founder: MemberId = progress?.self ?? name;
  await log.found({ id, cluster: parts.cluster, founder }, { index, term: 0, token: id, bytes: 0 }, name);
  runtime.log.info('etcd.founded', { log: id, prefix, index });
}

/** The log of its own may have more than its database. */
async function settle(parts: FoundingParts, progress: Progress): Promise<void> {
  const { directory, base, runtime } = parts;
  const { voters, learners } = progress.mark.members;
  const others = [...voters, ...learners].filter((member) => member !== progress.self);
  if (others.length > 0) {
    throw new StoreError(
      `the store in ${directory} belongs to a group with others (${others.join(', ')}): only a lone metaserver can go on in etcd; ` +
        'with its earlier metadataProtocol, take the others out by "nmrfs metaserver remove"',
    );
  }
  try {
    parts.progress = await settleAlone(directory, base, progress, runtime);
  } catch (error) {
    runtime.log.error('etcd.not_settled', errorFields(error));
    throw new StoreError(`the store in ${directory} can't be brought up to date: ${String(error)}`);
  }
}

async function become(base: BaseStorage, progress: Progress): Promise<Progress> {
  await base.write(new Map([[PROGRESS_KEY, encodeProgress(progress)]]));
  return progress;
}

function markAt(index: number) {
  return { index, term: 0, members: NOBODY };
}
