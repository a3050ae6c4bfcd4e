// What clients may count on, in words, under each protocol that keeps one order.
import type { OrderedProtocol } from './make-core.js';

const MAJORITY =
  'a change is answered when a majority has stored it; a read is the latest; without a majority all wait';

export const PROMISES: Record<OrderedProtocol, string> = {
  raft: MAJORITY,
  viewstamped: MAJORITY,
  'primary-backup':
    'a change is answered when all servers that can be reached have stored it; a read is the latest, unless the network splits: ' +
    'then each part may have a primary that answers, and what one of them has answered is lost when they meet',
};
