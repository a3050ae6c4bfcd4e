// A metaserver on its own address: the namespace in LMDB, served to mediators
// as `metadata`, and to people by XML-RPC.
import { serve } from '../protocol/http/server.js';
import type { Runtime } from '../runtime/runtime.js';
import type { EngineFactory } from './engine/storage.js';
import { type MetaserverOptions, openMetaserver } from './metaserver.js';
import { groupEngine } from './storage/group-storage.js';
import { lmdbEngine } from './storage/lmdb-engine.js';

export interface RunMetaserverOptions extends MetaserverOptions {
  /** As configured; appears in the log. */
  name: string;
  /** HOST:PORT; port 0 takes a free one. */
  address: string;
  /** The same services on a Unix-domain socket, besides. */
  unixPath?: string;
  /** The cluster's secret, when it has one. */
  secret?: string;
  /** All metaservers of the cluster, this one too, and how they agree. */
  group?: {
    cluster: string;
    protocol: 'raft' | 'viewstamped';
    members: { name: string; address: string; unixPath?: string }[];
  };
  /** Where the rows are kept; LMDB behind a log when absent. The simulation passes its own. */
  engine?: EngineFactory;
}

export interface RunningMetaserver {
  /** With the real port. */
  readonly address: string;
  /** Stops serving, then makes everything that was answered durable. */
  close(): Promise<void>;
}

/** Resolves when the namespace is open and served. */
export async function runMetaserver(options: RunMetaserverOptions, runtime: Runtime): Promise<RunningMetaserver> {
  const metaserver = await openMetaserver(options, runtime, options.engine ?? groupEngine(lmdbEngine));
  try {
    const server = await serve(
      {
        address: options.address,
        services: { metadata: metaserver.metadata },
        xmlRpc: metaserver.xmlRpc,
        metrics: () => metaserver.metrics(),
        health: () => ({ healthy: true }),
        ...(options.unixPath === undefined ? {} : { unixPath: options.unixPath }),
        ...(options.secret === undefined ? {} : { secret: options.secret }),
      },
      runtime,
    );
    runtime.log.info('server.ready', { name: options.name, address: server.address });
    return {
      address: server.address,
      async close() {
        await server.close();
        await metaserver.close();
      },
    };
  } catch (error) {
    await metaserver.close();
    throw error;
  }
}
