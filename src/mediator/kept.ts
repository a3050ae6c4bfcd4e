// What the mediator keeps in memory, counted: for metrics, and for the test that
// whoever puts something in takes it out again.
import type { BlockMap } from './metadata/block-map.js';
import type { KnownNames } from './metadata/known-names.js';
import type { LostCalls } from './metadata/lost-calls.js';
import type { ReplicaSet } from './replicas/replica-set.js';
import type { Sessions } from './sessions/sessions.js';
import type { GarbageCollector } from './upkeep/garbage.js';
import type { Repairer } from './upkeep/repair.js';
import type { Auditor } from './voting/audit.js';
import type { Writer } from './writing/writer.js';

interface Keepers {
  auditor: Auditor;
  blockMap: BlockMap;
  garbage: GarbageCollector;
  names: KnownNames;
  lostCalls: LostCalls;
  repairer: Repairer;
  replicas: ReplicaSet;
  sessions: Sessions;
  writer: Writer;
}

/** Numbers of entries, by what they are. */
export type Kept = Record<string, number>;

export function keptBy(keepers: Keepers): Kept {
  const { auditor, blockMap, garbage, names, lostCalls, repairer, replicas, sessions, writer } = keepers;
  return {
    ...sessions.kept(),
    // Two caches.
    blockMaps: blockMap.size,
    names: names.size,
    heldFiles: garbage.heldFiles,
    waitingAudits: auditor.size,
    waitingRepairs: repairer.size,
    writtenFiles: writer.size,
    unsyncedCommands: lostCalls.unsynced.size,
    callsToDataServers: replicas.replicas.reduce((sum, { callsUnderWay }) => sum + callsUnderWay, 0),
  };
}
