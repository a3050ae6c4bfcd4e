// A server of the catalog on its one address.
import { join } from 'node:path';
import { type RunningServer, serve } from '../protocol/http/server.js';
import type { Runtime } from '../runtime/runtime.js';
import { type Blocks, MemoryBlocks } from './blocks/blocks.js';
import { DiskBlocks } from './blocks/disk-blocks.js';
import type { Catalog } from './catalog.js';
import { withFaults } from './faces/faults.js';
import { answerHttp } from './faces/http.js';
import { raftMethods } from './faces/raft.js';
import { surfStoreMethods } from './faces/surfstore.js';
import { tritonMethods } from './faces/triton.js';
import { type OpenCatalogOptions, openCatalog } from './open-catalog.js';

export interface RunningCatalog {
  /** With the real port. */
  readonly address: string;
  readonly catalog: Catalog;
  /** A client has asked it to stop; the promise never settles otherwise. */
  readonly stopRequested: Promise<void>;
  /** Resolves when nothing is left to do. */
  close(): Promise<void>;
}

/** Resolves when it can be reached; it finds its group after that. */
export async function runCatalog(options: OpenCatalogOptions, runtime: Runtime): Promise<RunningCatalog> {
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

function blocksOf({ server: { directory } }: OpenCatalogOptions, { disk }: Runtime): Blocks {
  return directory === undefined ? new MemoryBlocks() : new DiskBlocks(join(directory, 'blocks'), disk);
}
