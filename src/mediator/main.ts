// A mediator that serves on its own address: connects to the metaserver and
// the data servers, and offers files and administration to whoever connects.
import { type RunningServer, serve } from '../protocol/http/server.js';
import type { Runtime } from '../runtime/runtime.js';
import { Connections, type Peer } from './connections.js';
import {
  type Mediator,
  type MediatorOptions,
  type MediatorParts,
  openMediator,
  type ServerSupervisor,
} from './mediator.js';

export interface RunMediatorOptions extends MediatorOptions {
  unixPath?: string;
  secret?: string;
  metaservers: Peer[];
  dataservers: Peer[];
  /** Absent when nobody supervises the servers here. */
  supervisor?: ServerSupervisor;
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
  const parts: MediatorParts = {
    metaservers: connections.toMetaservers(options.metaservers),
    dataservers: connections.to(options.dataservers),
    ...(options.supervisor === undefined ? {} : { supervisor: options.supervisor }),
  };
  let mediator: Mediator | undefined;
  let server: RunningServer;
  try {
    const opened = await openMediator(options, parts, runtime);
    mediator = opened;
    server = await serve(
      {
        address: options.address,
        services: { files: opened.files, sessions: opened.sessions, admin: opened.admin },
        xmlRpc: opened.xmlRpc,
        metrics: () => opened.metrics(),
        health: () => ({ healthy: true }),
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
