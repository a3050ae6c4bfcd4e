// Counts and logs what votes and repairs showed of a replica. The mediator's
// totals are sums over the replicas (ReplicaSet.totals).
import type { BlockKey } from '../../protocol/services/blocks.js';
import type { Log } from '../../runtime/log.js';
import type { Replica } from './replica.js';

/**
 * The replica lost a vote by its own fault.
 * @param ballot its ballot's state, or in which kind of vote it was found
 */
export function recordDissent(log: Log, replica: Replica, block: BlockKey, ballot: string): void {
  replica.dissents++;
  log.warn('vote.dissent', { ...fieldsOf(replica, block), ballot });
}

/**
 * A version was put back on the replica.
 * @param afterMs since the vote that showed that it was needed, where that is known
 */
export function recordRepair(log: Log, replica: Replica, block: BlockKey, afterMs: number | null = null): void {
  replica.noteRepair(block, afterMs);
  log.info('repair.done', {
    ...fieldsOf(replica, block),
    ...(afterMs === null ? {} : { afterMs: Math.round(afterMs) }),
  });
}

/** The same during a rebuild or catch-up, which puts back many versions and logs its progress instead. */
export function recordRecovered(replica: Replica): void {
  replica.repairs++;
}

function fieldsOf({ name }: Replica, { inode, index, version }: BlockKey): Record<string, unknown> {
  return { inode, index, version, server: name };
}
