// The real servers on simulated hosts: a metaserver, data servers, a mediator,
// and clients that call it, all over the real transport code.
import type { Dataserver } from '../../src/dataserver/dataserver.js';
import { openDataserver } from '../../src/dataserver/dataserver.js';
import type { IndexFactory } from '../../src/dataserver/index/index-store.js';
import { memoryIndexFactory } from '../../src/dataserver/index/memory-index.js';
import { runMediator } from '../../src/mediator/main.js';
import type { Mediator } from '../../src/mediator/mediator.js';
import { serve } from '../../src/protocol/http/server.js';
import type { BlockService } from '../../src/protocol/services/blocks.js';
import type { FileService } from '../../src/protocol/services/files.js';
import type { MetadataService } from '../../src/protocol/services/metadata.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import type { BallotWatch } from './ballots.js';
import { type ConnectedClient, connectClient } from './clients.js';
import { DeletionWatch } from './deletions.js';
import { MetaHost } from './meta-host.js';
import { Host, type World } from './world/host.js';

/** What a run is about. */
export interface ClusterShape {
  servers: number;
  metaservers: number;
  protocol: 'raft' | 'viewstamped';
  readQuorum: number;
  writeQuorum: number;
  audit: 'all' | 'quorum';
  clients: number;
  blockSizeBytes: number;
  segmentBytes: number;
  /** How long the metaserver may keep what nobody wants durable, milliseconds: the longer, the more a crash loses. */
  commitIntervalMs: number;
}

/** Puts something broken in the place of a service, to see whether the checks notice. */
export interface Sabotage {
  /** How many metaservers it needs; one when absent. */
  metaservers?: number;
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

/** A server that takes longer is down, milliseconds. */
export const DEADLINE_MS = 400;
export const STORE_DIRECTORY = '/store';

/** Two neighbouring blocks of the simulation's usual size are enough to be read past the cache. */
const DIRECT_READ_BYTES = 16 * 1024;

/** One data server's host, and what must be known of it from outside. */
export class DataHost {
  readonly host: Host;
  server: Dataserver | null = null;
  readonly deletions = new DeletionWatch();
  #index: IndexFactory = memoryIndexFactory();

  constructor(
    readonly number: number,
    shape: ClusterShape,
    world: World,
    sabotage: Sabotage,
    ballots: BallotWatch,
    violation: (message: string) => void,
  ) {
    const name = `data${number}`;
    this.host = new Host(name, world, {
      start: async (runtime) => {
        const exits = { terminate: () => this.host.kill(), restart: () => this.host.kill() };
        const server = await openDataserver(
          {
            name,
            number,
            directory: STORE_DIRECTORY,
            testHooks: true,
            segmentBytes: shape.segmentBytes,
            directReadBytes: DIRECT_READ_BYTES,
          },
          runtime,
          this.#index,
          exits,
        );
        const problem = await this.deletions.problemOf(server.blocks);
        if (problem !== null) violation(`${name}: ${problem}`);
        const blocks = ballots.over(number, this.deletions.over(sabotage.blocks?.(server.blocks) ?? server.blocks));
        await serve({ address: `${name}:1`, services: { blocks, hooks: server.hooks } }, runtime);
        this.server = server;
      },
      ended: (power) => {
        this.server = null;
        if (power) this.deletions.powerLost();
        // A process that dies leaves its index behind, unless it is thrown away as a damaged one would be.
        if (power || world.random.chance(0.3)) this.#index = memoryIndexFactory();
      },
    });
  }

  /** An empty disk takes the place of the old one. The process must be gone. */
  wipe(): void {
    this.host.platter.wipe();
    this.deletions.spoil();
    this.#index = memoryIndexFactory();
  }
}

export class SimulatedCluster {
  readonly metaHosts: readonly MetaHost[];
  readonly mediatorHost: Host;
  readonly dataHosts: readonly DataHost[];
  /** The running one, for looking at from outside. */
  mediator: Mediator | null = null;
  readonly clients: readonly ConnectedClient[];

  constructor(
    readonly shape: ClusterShape,
    world: World,
    sabotage: Sabotage,
    ballots: BallotWatch,
    violation: (message: string) => void,
  ) {
    this.metaHosts = Array.from(
      { length: shape.metaservers },
      (_, at) => new MetaHost(at + 1, shape, sabotage.metadata, world),
    );
    this.dataHosts = Array.from(
      { length: shape.servers },
      (_, at) => new DataHost(at + 1, shape, world, sabotage, ballots, violation),
    );
    this.mediatorHost = new Host('mediator', world, {
      start: async (runtime) => {
        const { mediator } = await runMediator(
          {
            name: 'mediator',
            address: 'mediator:1',
            blockSizeBytes: shape.blockSizeBytes,
            testHooks: true,
            deadlineMs: DEADLINE_MS,
            maintenance: true,
            readQuorum: sabotage.readQuorum ?? shape.readQuorum,
            writeQuorum: shape.writeQuorum,
            audit: shape.audit,
            onWriteQuorumLost: 'fail',
            metaservers: this.metaHosts.map(({ host: { name } }) => ({ name, address: `${name}:1` })),
            dataservers: this.dataHosts.map(({ host: { name } }) => ({ name, address: `${name}:1` })),
          },
          sabotage.mediator?.(runtime) ?? runtime,
        );
        this.mediator = mediator;
      },
      ended: () => {
        this.mediator = null;
      },
    });
    this.clients = Array.from({ length: shape.clients }, (_, at) =>
      connectClient(`client${at + 1}`, world, sabotage.files),
    );
  }

  get hosts(): readonly Host[] {
    const servers = [...this.metaHosts, ...this.dataHosts];
    return [...servers.map(({ host }) => host), this.mediatorHost];
  }

  /** The namespace as whoever leads has it; null while nobody does. */
  get metadata(): MetadataService | null {
    return this.metaHosts.find(({ isServing }) => isServing)?.server?.host.metadata ?? null;
  }

  start(): void {
    for (const host of this.hosts) host.start();
  }
}
