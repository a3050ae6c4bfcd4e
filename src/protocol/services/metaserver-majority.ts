// What the servers of a group of metaservers count for, by what `status` says of them. Pure.
import { majorityOf } from '../values/quorum.js';
import type { MetaserverStatus } from './admin.js';

/** Those of a group whose word counts. */
export interface MetaserverMajority {
  /** All voters, of which `needed` must be there. */
  voters: number;
  needed: number;
  /** Those that are there, with all that they had ever acknowledged. */
  up: MetaserverStatus[];
}

/** A blank server, or a learner, holds no entries yet that count. The group may still count the voter that it was before. */
export function isCatchingUp({ role }: Pick<MetaserverStatus, 'role'>): boolean {
  return role === 'blank' || role === 'learner';
}

/** While nobody has said who is a voter, all are. */
export function metaserverMajority(metaservers: readonly MetaserverStatus[]): MetaserverMajority {
  const known = metaservers.filter(({ isVoter }) => isVoter);
  const voters = known.length > 0 ? known : metaservers;
  const up = voters.filter((server) => server.state === 'up' && !isCatchingUp(server));
  return { voters: voters.length, needed: majorityOf(voters.length), up };
}
