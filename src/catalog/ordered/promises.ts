// What clients may count on, in words, under each protocol that keeps one order.
import type { OrderedProtocol } from './make-core.js';

const MAJORITY = 'a change is answered when a majority has stored it; a read is the latest; without a majority all wait';

export const PROMISES: Record<OrderedProtocol, string> = {
  raft: MAJORITY,
  viewstamped: MAJORITY,
};
