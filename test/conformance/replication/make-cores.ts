// How the suites make the cores that they try.
import { Raft } from '../../../src/replication/core/raft/raft.js';
import type { MakeCore } from './simulated-member.js';

export const ELECTION_TICKS = 10;

export const makeRaft: MakeCore = (self, stored, random) =>
  new Raft(
    {
      self,
      electionTicks: ELECTION_TICKS,
      heartbeatTicks: 2,
      maximumAppendBytes: 400,
      maximumInFlight: 4,
      fraction: () => random.fraction(),
    },
    stored,
  );
