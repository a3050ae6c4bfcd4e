// Opens the storage of a metaserver that is alone: a group of one.
import type { Mark } from '../../replication/core/core.js';
import type { MemberId } from '../../replication/core/members.js';
import type { Transport } from '../../replication/member/transport.js';
import { assert } from '../../runtime/assert.js';
import { randomHex } from '../../runtime/random.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { BaseFactory, BaseStorage, EngineFactory } from '../engine/storage.js';
import type { Changes } from './batch.js';
import { readEarlierLog, removeEarlierLog } from './earlier-log.js';
import { GroupStorage } from './group-storage.js';
import { decodeProgress, encodeProgress, PROGRESS_KEY, type Progress } from './progress.js';

/** Of a segment of the log: some thousand small writes. */
export const SEGMENT_BYTES = 2 * 1024 * 1024;
const MEMBER_ID_BYTES = 8;
const SURELY_NOT = () => assert(false, 'whoever is alone has nobody to differ from');
const NO_CHANGES: Changes = new Map();
/** There is nobody to say anything to. */
const ALONE: Transport = {
  send: (message) => assert(false, `${message.kind} has nobody to go to`),
  sendState: () => Promise.reject(new Error('there is nobody to send a state to')),
};

/** @param segmentBytes of a segment of the log; 2 MiB when absent */
export function groupEngine(base: BaseFactory, segmentBytes = SEGMENT_BYTES): EngineFactory {
  return async (directory, runtime) => {
    const storage = await base(directory, runtime);
    try {
      const progress =
        (await readProgress(directory, storage, 'meta', runtime)) ?? (await found(storage, 'meta', runtime));
      const parts = {
        directory,
        base: storage,
        progress,
        protocol: 'raft',
        transport: ALONE,
        segmentBytes,
        runtime,
        diverged: SURELY_NOT,
      } as const;
      const group = new GroupStorage(parts);
      await group.open();
      return group;
    } catch (error) {
      await storage.close();
      throw error;
    }
  };
}

/** Brings the database of a group of one up to date with its log, for what goes on from it without that log. */
export async function settleAlone(
  directory: string,
  storage: BaseStorage,
  progress: Progress,
  runtime: Runtime,
): Promise<Progress> {
  const parts = { directory, base: storage, progress, protocol: 'raft', transport: ALONE, runtime } as const;
  const group = new GroupStorage({ ...parts, segmentBytes: SEGMENT_BYTES, diverged: SURELY_NOT });
  await group.open();
  await group.checkpoint();
  await group.abandon();
  const row = storage.get(PROGRESS_KEY);
  assert(row !== undefined, 'a checkpoint notes the progress');
  const settled = decodeProgress(row);
  assert('self' in settled, 'a group notes who its member is');
  return settled;
}

export function newMemberId(name: string, runtime: Runtime): MemberId {
  return `${name}/${randomHex(runtime.random, MEMBER_ID_BYTES)}`;
}

/** undefined for a store that belongs to no group yet. One that was last used before there were groups becomes a group of one. */
export async function readProgress(
  directory: string,
  storage: BaseStorage,
  name: string,
  runtime: Runtime,
): Promise<Progress | undefined> {
  const row = storage.get(PROGRESS_KEY);
  if (row === undefined) return isEmpty(storage) ? undefined : found(storage, name, runtime);
  const progress = decodeProgress(row);
  if ('self' in progress) return progress;
  const changes = await readEarlierLog(directory, progress, runtime.disk);
  const upgraded = await found(storage, name, runtime, changes);
  await removeEarlierLog(directory, runtime.disk);
  return upgraded;
}

/** Begins a group of one. */
export async function found(
  storage: BaseStorage,
  name: string,
  runtime: Runtime,
  changes: Changes = NO_CHANGES,
): Promise<Progress> {
  const self = newMemberId(name, runtime);
  const mark: Mark = { index: 0, term: 0, members: { voters: [self], learners: [] } };
  const progress = { self, mark, digest: 0n };
  await storage.write(new Map(changes).set(PROGRESS_KEY, encodeProgress(progress)));
  return progress;
}

function isEmpty(storage: BaseStorage): boolean {
  return storage.scan('', PROGRESS_KEY, 1).length === 0;
}
