// What the mediator keeps in memory, counted: for metrics, and for the test that
// whoever puts something in takes it out again.
import type { Auditor } from './audit.js';
import type { BlockMap } from './block-map.js';
import type { GarbageCollector } from './garbage.js';
import type { KnownNames } from './known-names.js';
import type { LostCalls } from './lost-calls.js';
import type { Repairer } from './repair.js';
import type { ReplicaSet } from './replica-set.js';
import type { Sessions } from './sessions.js';
import type { Writer } from './writer.js';

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
