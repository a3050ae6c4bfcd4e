// How a blank server comes into a group. Only when all configured servers are blank, the first of them founds one; every other one
// asks to be let in, under a new id: it has forgotten for whom it has voted, and what it has acknowledged.
import type { Mark } from '../../replication/core/core.js';
import { type AskingParts, hasGroup } from '../../replication/group/ask-to-join.js';
import { sleep } from '../../runtime/clock.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { BaseStorage } from '../engine/storage.js';
import { found, newMemberId } from '../storage/group-engine.js';
import { encodeProgress, PROGRESS_KEY, type Progress } from '../storage/progress.js';

const PAUSE_MS = 100;

export interface JoiningParts extends AskingParts {
  name: string;
  /** The first of all configured servers. */
  isFirst: boolean;
  base: BaseStorage;
}

/** What a blank server begins with. Resolves when it is known whether there is a group; undefined after a close. */
export async function beginBlank(parts: JoiningParts): Promise<Progress | undefined> {
  const { name, isFirst, base, peers, runtime, isClosed } = parts;
  while (isFirst && !peers.all.some(hasGroup)) {
    if (isClosed()) return undefined;
    if (peers.all.every(({ greeting }) => greeting !== null)) {
      const progress = await found(base, name, runtime);
      runtime.log.info('replication.founded', { member: progress.self });
      return progress;
    }
    await sleep(runtime.clock, PAUSE_MS);
  }
  return becomeNew(base, name, runtime);
}

/** A member that belongs to no group yet. It has no rows. */
export async function becomeNew(base: BaseStorage, name: string, runtime: Runtime): Promise<Progress> {
  const mark: Mark = { index: 0, term: 0, members: { voters: [], learners: [] } };
  const progress = { self: newMemberId(name, runtime), mark, digest: 0n };
  const replacement = await base.replacement();
  await replacement.add([{ key: PROGRESS_KEY, value: encodeProgress(progress) }]);
  await replacement.install();
  return progress;
}
