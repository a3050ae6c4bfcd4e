// What an administrator can tune while the system runs.
import type { Quorums } from '../protocol/values/quorum.js';

export interface MediatorSettings extends Quorums {
  /** all: every read checks every live replica; those it did not need for its answer are checked later. quorum: it asks only Qr. */
  audit: 'all' | 'quorum';
  /** What a write does while fewer than writeQuorum servers can be reached. */
  onWriteQuorumLost: 'fail' | 'block';
}
