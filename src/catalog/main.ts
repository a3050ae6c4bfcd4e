// A server of the catalog on its one address.
import { join } from 'node:path';
import { type RunningServer, serve } from '../protocol/http/server.js';
import type { ServerPlace } from '../protocol/services/group.js';
import type { Runtime } from '../runtime/runtime.js';
import { type Blocks, MemoryBlocks } from './blocks/blocks.js';
import { DiskBlocks } from './blocks/disk-blocks.js';
import type { Catalog } from './catalog.js';
import type { CatalogConfig, CatalogServerConfig } from './configuration/catalog-config.js';
import { withFaults } from './faces/faults.js';
import { answerHttp } from './faces/http.js';
import { raftMethods } from './faces/raft.js';
import { surfStoreMethods } from './faces/surfstore.js';
import { tritonMethods } from './faces/triton.js';
import { CatalogError } from './map/errors.js';
import { DiskKeeper, type Keeper, MemoryKeeper } from './ordered/keeper.js';
import { OrderedCatalog } from './ordered/ordered-catalog.js';
import type { RaftCalls } from './ordered/raft-calls.js';

export interface RunCatalogOptions {
  readonly config: CatalogConfig;
  /** One of the configuration's, or one that comes later. */
  readonly server: CatalogServerConfig;
  /** It comes into a group that is there already. */
  readonly isNewcomer: boolean;
}

export interface RunningCatalog {
  /** With the real port. */
  readonly address: string;
  readonly catalog: Catalog;
  /** A client has asked it to stop; the promise never settles otherwise. */
  readonly stopRequested: Promise<void>;
  /** Resolves when nothing is left to do. */
  close(): Promise<void>;
}

/** A catalog with what the other servers call. */
interface Served extends Catalog {
  readonly raft?: RaftCalls;
  readonly services: Record<string, object>;
  start(): Promise<void>;
}

/** Resolves when it can be reached; it finds its group after that. */
export async function runCatalog(options: RunCatalogOptions, runtime: Runtime): Promise<RunningCatalog> {
  const { config, server } = options;
  const catalog = await openCatalog(options, runtime);
  const blocks = blocksOf(options, runtime);
  let stop: () => void = () => {};
  const stopRequested = new Promise<void>((resolve) => {
    stop = resolve;
  });
  let listening: RunningServer;
  try {
    listening = await serve(
      {
        address: server.address,
        services: catalog.services,
        xmlRpc: withFaults({
          ...surfStoreMethods({ catalog, blocks, testHooks: config.testHooks }),
          ...tritonMethods(catalog, blocks),
          ...(catalog.raft === undefined ? {} : raftMethods(catalog.raft)),
        }),
        other: (request) => answerHttp({ catalog, stop }, request),
        health: () => ({ healthy: !catalog.isCrashed }),
        ...(config.secret === undefined ? {} : { secret: config.secret }),
      },
      runtime,
    );
  } catch (error) {
    await catalog.close();
    throw error;
  }
  runtime.log.info('server.ready', { name: server.name, address: listening.address, protocol: config.protocol });
  const starting = catalog.start();
  starting.catch((error: unknown) => runtime.log.error('catalog.not_started', { reason: String(error) }));
  return {
    address: listening.address,
    catalog,
    stopRequested,
    async close() {
      await catalog.close();
      await listening.close();
    },
  };
}

async function openCatalog({ config, server, isNewcomer }: RunCatalogOptions, runtime: Runtime): Promise<Served> {
  const { cluster, protocol, secret, heartbeatMs, electionTimeoutMs } = config;
  const { name, address } = server;
  const places: ServerPlace[] = config.servers.map((each) => ({ name: each.name, address: each.address }));
  const common = {
    ...{ name, address, cluster, servers: places, isNewcomer },
    ...(secret === undefined ? {} : { secret }),
  };
  switch (protocol) {
    case 'raft':
    case 'viewstamped':
    case 'primary-backup':
      return OrderedCatalog.open(
        { ...common, protocol, timing: { heartbeatMs, electionTimeoutMs } },
        keeperOf(server, runtime),
        runtime,
      );
    default:
      throw new CatalogError('BAD_REQUEST', `${protocol} is not there`);
  }
}

function keeperOf({ directory }: CatalogServerConfig, runtime: Runtime): Keeper {
  return directory === undefined ? new MemoryKeeper() : new DiskKeeper(directory, runtime);
}

function blocksOf({ server: { directory } }: RunCatalogOptions, { disk }: Runtime): Blocks {
  return directory === undefined ? new MemoryBlocks() : new DiskBlocks(join(directory, 'blocks'), disk);
}
