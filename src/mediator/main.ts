// A mediator that serves on its own address: connects to the metaserver and
// the data servers, and offers files and administration to whoever connects.
import { type RunningServer, serve } from '../protocol/http/server.js';
import type { ClusterSnapshot } from '../protocol/page/messages.js';
import type { PageFiles } from '../protocol/page/page-face.js';
import type { Runtime } from '../runtime/runtime.js';
import { Connections, type Peer } from './connections.js';
import { takeSoleEpoch } from './epochs/sole-epoch.js';
import {
  type Mediator,
  type MediatorOptions,
  type MediatorParts,
  openMediator,
  type ServerSupervisor,
} from './mediator.js';
import { METADATA_DEADLINE_MS } from './metadata/metaserver-connection.js';
import { followMetaservers, type MetaserverPart } from './metadata/metaservers.js';
import { servedPage } from './page/served-page.js';

export interface RunMediatorOptions extends MediatorOptions {
  /** As configured. */
  name: string;
  unixPath?: string;
  /** The files of the page; without them there is none. */
  page?: PageFiles;
  /** For the page's words. */
  metadataProtocol?: ClusterSnapshot['metadataProtocol'];
  secret?: string;
  metaservers: Peer[];
  dataservers: Peer[];
  /** Absent when nobody supervises the servers here. */
  supervisor?: ServerSupervisor;
}

async function soleTenure({ name, deadlineMs: own }: RunMediatorOptions, parts: MetaserverPart[], runtime: Runtime) {
  const deadlineMs = Math.max(METADATA_DEADLINE_MS, own);
  const metaservers = followMetaservers({ metaservers: parts, deadlineMs, runtime });
  try {
    return await takeSoleEpoch({ name, metadata: metaservers.metadata, deadlineMs, runtime });
  } finally {
    metaservers.close();
  }
}

export interface RunningMediator {
  /** With the real port. */
  readonly address: string;
  /** For a mount in the same process: the services that are offered on the network. */
  readonly mediator: Mediator;
  /** Stops serving, ends background work and closes the connections, in this order. */
  close(): Promise<void>;
}

/** Resolves when the metaserver has answered and the mediator serves. */
export async function runMediator(options: RunMediatorOptions, runtime: Runtime): Promise<RunningMediator> {
  const connections = new Connections(options, runtime);
  const metaservers = options.metaservers.map((peer) => connections.toMetaserver(peer));
  let mediator: Mediator | undefined;
  let server: RunningServer;
  try {
    const tenure = await soleTenure(options, metaservers, runtime);
    const parts: MediatorParts = {
      connectMetaserver: (server) => connections.toMetaserver(server),
      ...{ metaservers, tenure, dataservers: connections.to(options.dataservers) },
      ...(options.supervisor === undefined ? {} : { supervisor: options.supervisor }),
    };
    const opened = await openMediator(options, parts, runtime);
    mediator = opened;
    const other = servedPage(options, () => opened.page, runtime.clock);
    if (other !== undefined) opened.page.start();
    server = await serve(
      {
        address: options.address,
        services: { files: opened.files, sessions: opened.sessions, admin: opened.admin },
        xmlRpc: opened.xmlRpc,
        metrics: () => opened.metrics(),
        health: () => ({ healthy: !tenure.isOver }),
        ...(other === undefined ? {} : { other }),
        ...(options.unixPath === undefined ? {} : { unixPath: options.unixPath }),
        ...(options.secret === undefined ? {} : { secret: options.secret }),
      },
      runtime,
    );
  } catch (error) {
    await mediator?.close();
    await connections.close();
    throw error;
  }
  const running = mediator;
  return {
    address: server.address,
    mediator: running,
    async close() {
      await server.close();
      await running.close();
      await connections.close();
    },
  };
}
