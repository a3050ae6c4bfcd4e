// The core of a metaserver's group, and its timing.
import type { Core, StoredState } from '../../replication/core/core.js';
import type { MemberId } from '../../replication/core/members.js';
import { Raft } from '../../replication/core/raft/raft.js';
import { Viewstamped } from '../../replication/core/viewstamped/viewstamped.js';
import type { Random } from '../../runtime/random.js';

export type Protocol = 'raft' | 'viewstamped';

export const TICK_MS = 25;
/** A leader that is silent for 300 ms is replaced within 600 ms, by whoever has waited for the shortest time. */
const ELECTION_TICKS = 12;
export const ELECTION_TIMEOUT_MS = ELECTION_TICKS * TICK_MS;
const HEARTBEAT_TICKS = 3;
const MAXIMUM_APPEND_BYTES = 1024 * 1024;
const MAXIMUM_IN_FLIGHT = 64;

export function makeCore(protocol: Protocol, self: MemberId, stored: StoredState, random: Random): Core {
  const settings = {
    self,
    electionTicks: ELECTION_TICKS,
    heartbeatTicks: HEARTBEAT_TICKS,
    maximumAppendBytes: MAXIMUM_APPEND_BYTES,
    maximumInFlight: MAXIMUM_IN_FLIGHT,
    fraction: () => random.fraction(),
  };
  return protocol === 'raft' ? new Raft(settings, stored) : new Viewstamped(settings, stored);
}
