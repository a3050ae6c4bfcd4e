// The core of each protocol that keeps one order.
import type { Core, StoredState } from '../../replication/core/core.js';
import type { MemberId } from '../../replication/core/members.js';
import { PrimaryBackup } from '../../replication/core/primary-backup/primary-backup.js';
import { Raft } from '../../replication/core/raft/raft.js';
import { Viewstamped } from '../../replication/core/viewstamped/viewstamped.js';
import type { Random } from '../../runtime/random.js';
import { type Timing, ticksOf } from './timing.js';

export type OrderedProtocol = 'raft' | 'viewstamped' | 'primary-backup';

const MAXIMUM_APPEND_BYTES = 1024 * 1024;
const MAXIMUM_IN_FLIGHT = 64;

export function makeCore(
  protocol: OrderedProtocol,
  self: MemberId,
  stored: StoredState,
  { heartbeatMs, electionTimeoutMs }: Timing,
  random: Random,
): Core {
  const settings = {
    self,
    electionTicks: ticksOf(electionTimeoutMs),
    heartbeatTicks: ticksOf(heartbeatMs),
    maximumAppendBytes: MAXIMUM_APPEND_BYTES,
    maximumInFlight: MAXIMUM_IN_FLIGHT,
    fraction: () => random.fraction(),
  };
  switch (protocol) {
    case 'raft':
      return new Raft(settings, stored);
    case 'viewstamped':
      return new Viewstamped(settings, stored);
    case 'primary-backup':
      return new PrimaryBackup(settings, stored);
  }
}
