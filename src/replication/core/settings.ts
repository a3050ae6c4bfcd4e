// What an administrator, or a simulation, decides about a member. Times are in ticks.
import type { MemberId } from './members.js';

export interface CoreSettings {
  readonly self: MemberId;
  /** A follower that hears no leader for so long, or for up to twice as long, has another one chosen. */
  readonly electionTicks: number;
  /** Less than half of electionTicks. */
  readonly heartbeatTicks: number;
  /** Of the entries of one message. */
  readonly maximumAppendBytes: number;
  /** Messages with entries to one member that it has not answered yet. */
  readonly maximumInFlight: number;
  /** 0 up to 1, 1 not included. */
  readonly fraction: () => number;
}
