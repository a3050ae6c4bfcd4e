// How a blank server comes into a group. Only when all configured servers are blank, the first of them founds one; every other one
// asks to be let in, under a new id: it has forgotten for whom it has voted, and what it has acknowledged.
import type { Mark } from '../../replication/core/core.js';
import type { MemberId } from '../../replication/core/members.js';
import type { Peer, Peers } from '../../replication/link/peers.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { sleep } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { BaseStorage } from '../engine/storage.js';
import { found, newMemberId } from '../storage/group-engine.js';
import type { GroupStorage } from '../storage/group-storage.js';
import { encodeProgress, PROGRESS_KEY, type Progress } from '../storage/progress.js';

const PAUSE_MS = 100;
const JOIN_DEADLINE_MS = 10_000;

export interface JoiningParts {
  name: string;
  /** The first of all configured servers. */
  isFirst: boolean;
  base: BaseStorage;
  peers: Peers;
  runtime: Runtime;
  isClosed: () => boolean;
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

/**
 * Asks to be let in until this member is a voter. A learner that hears no leader asks again: who let it in may have been gone
 * before anybody else knew of it. Who was removed does not ask.
 */
export async function askToJoin(
  self: MemberId,
  standing: () => { standing: GroupStorage['standing']; hasLeader: boolean },
  { peers, runtime, isClosed }: Pick<JoiningParts, 'peers' | 'runtime' | 'isClosed'>,
): Promise<void> {
  const { clock, log } = runtime;
  while (!isClosed()) {
    const now = standing();
    if (now.standing === 'removed') log.error('replication.removed', { member: self });
    if (now.standing === 'voter' || now.standing === 'removed') return;
    for (const { service, name } of now.hasLeader ? [] : peers.all.filter(hasGroup)) {
      if (isClosed()) return;
      try {
        await service.join({ id: self }, { deadlineMs: JOIN_DEADLINE_MS });
        log.info('replication.joined', { through: name, member: self });
        break;
      } catch (error) {
        rethrowProgramFault(error);
        log.debug('replication.not_joined', { through: name, ...errorFields(error) });
      }
    }
    await sleep(clock, PAUSE_MS);
  }
}

function hasGroup({ greeting }: Peer): boolean {
  return greeting?.hasGroup === true;
}
