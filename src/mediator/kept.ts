// How many entries the mediator keeps in memory: for metrics, and for the test
// that nothing is left behind.
import type { KnownRows } from './early/known-rows.js';
import type { NextFiles } from './files/next-files.js';
import type { BlockMap } from './metadata/block-map.js';
import type { KnownNames } from './metadata/known-names.js';
import type { MetaserverConnection } from './metadata/metaserver-connection.js';
import type { ReplicaSet } from './replicas/replica-set.js';
import type { HeldFiles } from './sessions/held-files.js';
import type { Sessions } from './sessions/sessions.js';
import type { RepairQueue } from './upkeep/repair-queue.js';
import type { Auditor } from './voting/audit.js';
import type { FileWriter } from './writing/file-writer.js';

interface Keepers {
  auditor: Auditor;
  blockMap: BlockMap;
  connection: MetaserverConnection;
  held: HeldFiles;
  names: KnownNames;
  nextFiles: NextFiles;
  repairQueue: RepairQueue;
  replicas: ReplicaSet;
  rows: KnownRows;
  sessions: Sessions;
  writer: FileWriter;
}

/** Numbers of entries, by kind. */
export type Kept = Record<string, number>;

export function keptBy(keepers: Keepers): Kept {
  const { auditor, blockMap, connection, held, names, nextFiles, repairQueue, replicas, rows, sessions, writer } =
    keepers;
  return {
    ...sessions.kept(),
    // Four caches: their sizes may stay as they are.
    blockMaps: blockMap.size,
    names: names.size,
    knownRows: rows.size,
    filesReadAhead: nextFiles.size,
    heldFiles: held.size,
    waitingAudits: auditor.size,
    waitingRepairs: repairQueue.size,
    writtenFiles: writer.size,
    unsyncedCommands: connection.unsynced.size,
    callsToDataServers: replicas.replicas.reduce((sum, { callsUnderWay }) => sum + callsUnderWay, 0),
  };
}
