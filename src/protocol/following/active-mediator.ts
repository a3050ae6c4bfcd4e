// The way to several mediators: calls go to the active one.
import { LeaderRemote, type LeaderRemoteParts } from './leader-remote.js';

/** While the active one says nothing. It does so as long as no other mount changes anything. */
const RIVAL_PAUSE_MS = 200;

type ActiveMediatorParts = Pick<LeaderRemoteParts, 'servers' | 'deadlineMs' | 'runtime'>;

export function followActiveMediator(parts: ActiveMediatorParts): LeaderRemote {
  const how = { standing: 'mediator', mustAnswer: () => 1, what: 'files', lostBy: ['FENCED'] } as const;
  return new LeaderRemote({ ...parts, ...how, rivalPauseMs: RIVAL_PAUSE_MS });
}
