// The arithmetic of quorums, for the config check, for `status` and for live changes.

export interface Quorums {
  readQuorum: number;
  writeQuorum: number;
}

export const MAXIMUM_DATA_SERVERS = 15;

/** The fewest of so many servers of which any two choices have one in common. */
export function majorityOf(servers: number): number {
  return Math.floor(servers / 2) + 1;
}

/** Why the quorums do not fit `servers` data servers, in one sentence, or null when they do. */
export function quorumProblem(servers: number, { readQuorum, writeQuorum }: Quorums): string | null {
  if (!Number.isInteger(servers) || servers < 1 || servers > MAXIMUM_DATA_SERVERS) {
    return `${servers} data servers: there must be 1 to ${MAXIMUM_DATA_SERVERS}`;
  }
  if (!Number.isInteger(readQuorum) || readQuorum < 1 || readQuorum > servers) {
    return `readQuorum ${readQuorum}: must be a whole number from 1 to ${servers}, the number of data servers`;
  }
  if (!Number.isInteger(writeQuorum) || writeQuorum < 1 || writeQuorum > servers) {
    return `writeQuorum ${writeQuorum}: must be a whole number from 1 to ${servers}, the number of data servers`;
  }
  if (readQuorum + writeQuorum <= servers) {
    return `readQuorum ${readQuorum} + writeQuorum ${writeQuorum} must be more than ${servers}, the number of data servers, or a read could miss the last write`;
  }
  return null;
}

/** How many bad replicas a block survives: once all servers hold it, and right after a write. */
export function survives(
  servers: number,
  { readQuorum, writeQuorum }: Quorums,
): { settled: number; afterWrite: number } {
  return { settled: servers - readQuorum, afterWrite: Math.max(0, writeQuorum - readQuorum) };
}
