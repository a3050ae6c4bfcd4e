// One metaserver's host, and what must be known of it from outside.
import { GroupMetaserver } from '../../src/metaserver/group/group-metaserver.js';
import { MemoryStore, memoryEngine } from '../../src/metaserver/storage/memory-engine.js';
import { serve } from '../../src/protocol/http/server.js';
import type { MetadataService } from '../../src/protocol/services/metadata.js';
import { carryIn } from './world/disk.js';
import { Host, type World } from './world/host.js';

/** So short that the log's files take turns within a run. */
const SEGMENT_BYTES = 6 * 1024;
const STORE_DIRECTORY = '/store';

export interface MetaHostOptions {
  /** How many there are. */
  metaservers: number;
  protocol: 'raft' | 'viewstamped';
  commitIntervalMs: number;
}

/** Puts something broken in the place of the service. */
export type SabotageOfMetadata = ((metadata: MetadataService) => MetadataService) | undefined;

export class MetaHost {
  readonly host: Host;
  server: GroupMetaserver | null = null;
  #store = new MemoryStore();
  #damagedUpTo = 0;

  constructor(number: number, shape: MetaHostOptions, sabotage: SabotageOfMetadata, world: World) {
    const name = `meta${number}`;
    const address = `${name}:1`;
    const { commitIntervalMs, protocol } = shape;
    const names = Array.from({ length: shape.metaservers }, (_, at) => `meta${at + 1}`);
    const members = names.map((each) => ({ name: each, address: `${each}:1` }));
    const options = {
      name,
      directory: STORE_DIRECTORY,
      commitIntervalMs,
      segmentBytes: SEGMENT_BYTES,
      group: { cluster: 'simulated', protocol, members },
    };
    this.host = new Host(name, world, {
      start: async (runtime) => {
        const base = memoryEngine(this.#store, { commitDelay: metadataSync(this.host, world) });
        const server = await GroupMetaserver.open(options, base, runtime);
        const metadata = sabotage?.(server.host.metadata) ?? server.host.metadata;
        const isAlone = shape.metaservers === 1;
        if (isAlone) await server.start();
        await serve({ address, services: { metadata, group: server.group } }, runtime);
        this.server = server;
        if (!isAlone) await server.start();
      },
      ended: () => {
        this.#store.crash();
        this.server = null;
      },
    });
  }

  get isServing(): boolean {
    return this.server?.host.isServing ?? false;
  }

  /** Whether it is a voter of its group, as far as it knows. */
  get isVoter(): boolean {
    return this.server?.isVoter ?? false;
  }

  /** The last batch that it has applied. */
  get appliedIndex(): number {
    return this.server?.appliedIndex ?? 0;
  }

  /** Its log may have lost what it has acknowledged up to here. */
  isDamagedUpTo(index: number): void {
    this.#damagedUpTo = Math.max(this.#damagedUpTo, index);
  }

  /** Whether it has everything again that its log ever lost. */
  get isWhole(): boolean {
    return this.appliedIndex >= this.#damagedUpTo;
  }

  /** An empty disk takes the place of the old one. The process must be gone. */
  wipe(): void {
    this.host.platter.wipe();
    this.#store = new MemoryStore();
  }
}

/** The disk as one process sees it: takes its time, and fails when it is told to. */
function metadataSync({ process, troubles }: Host, world: World): () => Promise<void> {
  if (process === null) throw new Error('the metaserver has no process');
  const carry = carryIn(process, world.random, troubles);
  return () =>
    carry(500, () => {
      if (troubles.failSyncs) throw Object.assign(new Error('EIO: the disk failed'), { code: 'EIO' });
    });
}
