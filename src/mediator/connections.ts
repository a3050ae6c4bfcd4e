// The connections of a mediator to the servers behind it.
import { connectRemote, type Remote } from '../protocol/wire/client.js';
import type { Runtime } from '../runtime/runtime.js';
import { METADATA_DEADLINE_MS } from './metadata/metaserver-connection.js';
import type { MetaserverPart } from './metadata/metaservers.js';
import type { ReplicaParts } from './replicas/replica-set.js';

/** A server that the mediator connects to. */
export interface Peer {
  name: string;
  /** HOST:PORT */
  address: string;
  /** A Unix socket of the server, preferred where it can be reached: the server is on this host then. */
  unixPath?: string;
}

export interface ConnectionsOptions {
  /** A data server that does not answer for so long is down. */
  deadlineMs: number;
  secret?: string;
}

export class Connections {
  readonly #remotes: Remote[] = [];
  readonly #options: ConnectionsOptions;
  readonly #runtime: Runtime;

  constructor(options: ConnectionsOptions, runtime: Runtime) {
    this.#options = options;
    this.#runtime = runtime;
  }

  /** Calls fail while it is not connected: another one may lead. */
  toMetaserver(peer: Peer): MetaserverPart {
    return this.#connect(peer, 'fail', Math.max(METADATA_DEADLINE_MS, this.#options.deadlineMs));
  }

  /** To data servers, or to other mediators. */
  to(peers: readonly Peer[]): ReplicaParts[] {
    return peers.map((peer) => this.#connect(peer, 'fail', this.#options.deadlineMs));
  }

  /** To data servers that are asked whether they answer: a call waits for the connection. */
  toProbed(peers: readonly Peer[]): ReplicaParts[] {
    return peers.map((peer) => this.#connect(peer, 'wait', this.#options.deadlineMs));
  }

  async close(): Promise<void> {
    await Promise.all(this.#remotes.map((remote) => remote.close()));
  }

  #connect({ name, address, unixPath }: Peer, whileDown: 'wait' | 'fail', deadlineMs: number): ReplicaParts {
    const { secret } = this.#options;
    const remote = connectRemote(
      {
        ...{ name, address, whileDown, deadlineMs },
        ...(unixPath === undefined ? {} : { unixPath }),
        ...(secret === undefined ? {} : { secret }),
      },
      this.#runtime,
    );
    this.#remotes.push(remote);
    return { name, address, remote };
  }
}
