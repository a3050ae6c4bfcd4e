// What a run is about: how many servers of which kind, and what is wrong with them
// on purpose.
import type { BlockService } from '../../src/protocol/services/blocks.js';
import type { FileService } from '../../src/protocol/services/files.js';
import type { MetadataService } from '../../src/protocol/services/metadata.js';
import type { Runtime } from '../../src/runtime/runtime.js';

export interface ClusterShape {
  servers: number;
  metaservers: number;
  mediators: number;
  protocol: 'raft' | 'viewstamped';
  readQuorum: number;
  writeQuorum: number;
  audit: 'all' | 'quorum';
  clients: number;
  /** All clients are answered as the mediator's own mount is: before the metaserver has what they change. */
  answersEarly: boolean;
  blockSizeBytes: number;
  segmentBytes: number;
  /** How long the metaserver may keep what nobody wants durable, milliseconds: the longer, the more a crash loses. */
  commitIntervalMs: number;
}

/** Puts something broken in the place of a service, to see whether the checks notice. */
export interface Sabotage {
  /** Tried first: most other seeds do not notice. */
  seed?: number;
  /** How many metaservers it needs; one when absent. */
  metaservers?: number;
  /** How many mediators it needs; one when absent. */
  mediators?: number;
  answersEarly?: boolean;
  files?: (files: FileService) => FileService;
  blocks?: (blocks: BlockService) => BlockService;
  metadata?: (metadata: MetadataService) => MetadataService;
  /** The read quorum of the mediator in the place of the shape's. */
  readQuorum?: number;
  /** What a mediator runs on. */
  mediator?: (runtime: Runtime) => Runtime;
  /** Replaces methods of the servers' classes, and answers what undoes that after the run. */
  replace?: () => () => void;
}
