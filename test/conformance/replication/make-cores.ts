// How the suites make the cores that they try.
import type { MemberId } from '../../../src/replication/core/members.js';
import { PrimaryBackup } from '../../../src/replication/core/primary-backup/primary-backup.js';
import { Raft } from '../../../src/replication/core/raft/raft.js';
import type { CoreSettings } from '../../../src/replication/core/settings.js';
import { Viewstamped } from '../../../src/replication/core/viewstamped/viewstamped.js';
import type { SeededRandom } from '../../simulation/world/seeded-random.js';
import type { MakeCore } from './simulated-member.js';

export const ELECTION_TICKS = 10;

export const makeRaft: MakeCore = (self, stored, random) => new Raft(settings(self, random), stored);

export const makeViewstamped: MakeCore = (self, stored, random) => new Viewstamped(settings(self, random), stored);

export const makePrimaryBackup: MakeCore = (self, stored, random) => new PrimaryBackup(settings(self, random), stored);

function settings(self: MemberId, random: SeededRandom): CoreSettings {
  return {
    self,
    electionTicks: ELECTION_TICKS,
    heartbeatTicks: 2,
    maximumAppendBytes: 400,
    maximumInFlight: 4,
    fraction: () => random.fraction(),
  };
}
