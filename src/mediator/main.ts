// A mediator that serves on its own address: connects to the metaserver and
// the data servers, and offers files and administration to whoever connects.
import { type RunningServer, serve } from '../protocol/http/server.js';
import { connectRemote, type Remote, type RemoteOptions } from '../protocol/wire/client.js';
import type { Runtime } from '../runtime/runtime.js';
import {
  type Mediator,
  type MediatorOptions,
  type MediatorParts,
  openMediator,
  type ServerSupervisor,
} from './mediator.js';
import { METADATA_DEADLINE_MS } from './metadata/metaserver-connection.js';

/** A server that the mediator connects to. */
export interface Peer {
  name: string;
  /** HOST:PORT */
  address: string;
  /** A Unix socket of the server, preferred where it can be reached: the server is on this host then. */
  unixPath?: string;
}

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
  const remotes: Remote[] = [];
  const connect = ({ name, address, unixPath }: Peer, limits: Pick<RemoteOptions, 'whileDown' | 'deadlineMs'>) => {
    const remote = connectRemote(
      {
        name,
        address,
        ...limits,
        ...(unixPath === undefined ? {} : { unixPath }),
        ...(options.secret === undefined ? {} : { secret: options.secret }),
      },
      runtime,
    );
    remotes.push(remote);
    return { name, address, remote };
  };
  const parts: MediatorParts = {
    metaservers: options.metaservers.map((peer) =>
      connect(peer, {
        // Nothing works without a lone metaserver, so calls wait for it while it is down. Of several, another one may lead.
        whileDown: options.metaservers.length === 1 ? 'wait' : 'fail',
        deadlineMs: Math.max(METADATA_DEADLINE_MS, options.deadlineMs),
      }),
    ),
    dataservers: options.dataservers.map((peer) =>
      connect(peer, { whileDown: 'fail', deadlineMs: options.deadlineMs }),
    ),
    ...(options.supervisor === undefined ? {} : { supervisor: options.supervisor }),
  };
  const closeRemotes = () => Promise.all(remotes.map((remote) => remote.close()));
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
    await closeRemotes();
    throw error;
  }
  const running = mediator;
  return {
    address: server.address,
    mediator: running,
    async close() {
      await server.close();
      await running.close();
      await closeRemotes();
    },
  };
}
