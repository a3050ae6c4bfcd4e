// What an administrator can tune while the system runs.
import type { Quorums } from '../protocol/values/quorum.js';

export interface MediatorSettings extends Quorums {
  /** all: every read checks every live replica, those that were not needed for the answer afterwards. */
  audit: 'all' | 'quorum';
  /** What a write does while fewer than writeQuorum servers can be reached. */
  onWriteQuorumLost: 'fail' | 'block';
}
