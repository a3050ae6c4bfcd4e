// How a new member gets into a group.
import { errorFields } from '../../runtime/caught-errors.js';
import { sleep } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { MemberId, Members } from '../core/members.js';
import type { Peer, Peers } from '../link/peers.js';

const PAUSE_MS = 100;
const JOIN_DEADLINE_MS = 10_000;

/** What a member is to its group. */
export type Standing = 'blank' | 'learner' | 'voter' | 'removed';

export interface AskingParts {
  peers: Peers;
  runtime: Runtime;
  isClosed: () => boolean;
}

export function standingIn({ voters, learners }: Members, member: MemberId): Standing {
  if (voters.length === 0) return 'blank';
  if (voters.includes(member)) return 'voter';
  return learners.includes(member) ? 'learner' : 'removed';
}

/**
 * Asks to be let in until this member is a voter. A learner that hears no leader asks again: who let it in may have been gone
 * before anybody else knew of it. Who was removed does not ask.
 */
export async function askToJoin(
  self: MemberId,
  standing: () => { standing: Standing; hasLeader: boolean },
  { peers, runtime, isClosed }: AskingParts,
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

export function hasGroup({ greeting }: Peer): boolean {
  return greeting?.hasGroup === true;
}
