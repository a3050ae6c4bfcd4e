// Applies what the log in etcd has beyond the rows here.
import type { Entry } from '../../replication/core/core.js';
import { DivergedError } from '../../replication/member/state-machine.js';
import type { AppliedRows } from '../storage/applied-rows.js';
import { EtcdError } from './etcd-error.js';
import type { Head, Entry as LogEntry, SharedLog } from './shared-log.js';

const READ_AT_ONCE = 32;

export interface CatchUpParts {
  log: SharedLog;
  rows: AppliedRows;
  /** @param bytes of all entries up to the last one that was applied */
  applied: (bytes: number) => void;
  /** Whether the rows are to be changed: not while they are replaced. */
  isWanted: () => boolean;
}

/** @returns false when the log does not have the next entry any more. Throws DivergedError. */
export async function catchUp({ log, rows, applied, isWanted }: CatchUpParts, head: Head): Promise<boolean> {
  if (rows.applied.index > head.index) {
    throw new EtcdError(
      'refused',
      `etcd has lost entries: its log ends at ${head.index}, and this store has ${rows.applied.index}`,
    );
  }
  while (rows.applied.index < head.index && isWanted()) {
    const from = rows.applied.index + 1;
    const entries = await log.read(from, READ_AT_ONCE);
    if (!isWanted() || rows.applied.index !== from - 1) return true;
    if (entries[0]?.index !== from) return false;
    rows.apply(entries.map(entryOf));
    applied(entries.at(-1)?.bytes ?? 0);
  }
  if (rows.applied.index === head.index && rows.applied.term !== head.term) {
    throw new DivergedError(`entry ${head.index} here is of term ${rows.applied.term}, and in etcd of ${head.term}`);
  }
  return true;
}

export function entryOf({ index, term, batch }: Pick<LogEntry, 'index' | 'term' | 'batch'>): Entry {
  return { index, term, content: { kind: 'data', data: batch, bytes: batch.length } };
}
