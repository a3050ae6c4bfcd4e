// What the mediator keeps in memory, counted: for metrics, and for the test that
// whoever puts something in takes it out again.

import type { BlockMap } from './metadata/block-map.js';
import type { KnownNames } from './metadata/known-names.js';
import type { LostCalls } from './metadata/lost-calls.js';
import type { ReplicaSet } from './replicas/replica-set.js';
import type { Sessions } from './sessions/sessions.js';
import type { GarbageCollector } from './upkeep/garbage.js';
import type { RepairQueue } from './upkeep/repair-queue.js';
import type { Auditor } from './voting/audit.js';
import type { FileWriter } from './writing/file-writer.js';

interface Keepers {
  auditor: Auditor;
  blockMap: BlockMap;
  garbage: GarbageCollector;
  names: KnownNames;
  lostCalls: LostCalls;
  repairQueue: RepairQueue;
  replicas: ReplicaSet;
  sessions: Sessions;
  writer: FileWriter;
}

/** Numbers of entries, by what they are. */
export type Kept = Record<string, number>;

export function keptBy(keepers: Keepers): Kept {
  const { auditor, blockMap, garbage, names, lostCalls, repairQueue, replicas, sessions, writer } = keepers;
  return {
    ...sessions.kept(),
    // Two caches.
    blockMaps: blockMap.size,
    names: names.size,
    heldFiles: garbage.heldFiles,
    waitingAudits: auditor.size,
    waitingRepairs: repairQueue.size,
    writtenFiles: writer.size,
    unsyncedCommands: lostCalls.unsynced.size,
    callsToDataServers: replicas.replicas.reduce((sum, { callsUnderWay }) => sum + callsUnderWay, 0),
  };
}
