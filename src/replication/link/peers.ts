// The other servers of a group: a connection to each, and which member each of them is. A member that has lost its disk comes back
// as another one, at the same address.
import { ServiceError } from '../../protocol/errors.js';
import type { Greeting, GroupService } from '../../protocol/services/group.js';
import { connectRemote, type Remote } from '../../protocol/wire/client.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { sleep } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import { sparingRepetitions } from '../../runtime/repeated-log.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { MemberId } from '../core/members.js';

/** Messages may get lost, so nobody waits for a server that hangs. */
const DEADLINE_MS = 2000;
const CONNECT_DEADLINE_MS = 1000;

const GREETING_PAUSE_MS = 300;

/** A server of the group. */
export interface PeerAddress {
  readonly name: string;
  /** HOST:PORT */
  readonly address: string;
  readonly unixPath?: string;
}

export interface Peer {
  readonly name: string;
  readonly address: string;
  readonly service: GroupService;
  readonly remote: Remote;
  /** What it has said last; null while it can't be reached, or is not the server that is expected there. */
  greeting: Greeting | null;
}

export interface PeersParts {
  /** Of this server. */
  name: string;
  /** Of this server, as it is now; null while it does not know what it is, so that nobody takes it for a blank one. */
  own: () => Greeting | null;
  others: readonly PeerAddress[];
  secret?: string;
  runtime: Runtime;
}

export class Peers {
  #all: readonly Peer[] = [];
  /** By name; where it is configured, or the group has it, counts more than where others say that it is. */
  readonly #configured: Set<string>;
  #isClosed = false;

  readonly #own: () => Greeting | null;
  readonly #name: string;
  readonly #secret: string | undefined;
  readonly #runtime: Runtime;

  constructor({ name, own, others, secret, runtime }: PeersParts) {
    this.#name = name;
    this.#own = own;
    this.#secret = secret;
    this.#runtime = sparingRepetitions(runtime, ['replication.stranger']);
    this.#configured = new Set(others.map((other) => other.name));
    this.#all = others.map((other) => this.#connect(other));
  }

  get all(): readonly Peer[] {
    return this.#all;
  }

  /**
   * Servers of the group that need not be configured here.
   * @param moved where they are now, whatever is configured: the group itself has it so
   */
  learn(servers: readonly PeerAddress[], { moved = false }: { moved?: boolean } = {}): void {
    for (const server of servers) {
      if (this.#isClosed || server.name === this.#name) continue;
      if (moved) this.#configured.add(server.name);
      else if (this.#configured.has(server.name)) continue;
      const known = this.#all.find(({ name }) => name === server.name);
      if (known?.address === server.address) continue;
      void known?.remote.close();
      this.#runtime.log.info('replication.server_known', { server: server.name, address: server.address });
      this.#all = [...this.#all.filter((peer) => peer !== known), this.#connect(server)];
    }
  }

  /** This server is another member now, or belongs to a group: the others are told. */
  announce(): void {
    for (const peer of this.all) if (peer.remote.state === 'up') void this.#greet(peer);
  }

  /** Another server has said who it is. @returns who this one is */
  heard(greeting: Greeting): Greeting {
    const own = this.#own();
    if (own === null) throw new ServiceError('FAILED', 'this server is still opening its store');
    const peer = this.all.find((other) => other.name === greeting.name);
    const isOther = own.clusterId !== null && greeting.clusterId !== null && own.clusterId !== greeting.clusterId;
    if (greeting.cluster !== own.cluster || isOther || peer === undefined) {
      const { name, cluster, clusterId } = greeting;
      this.#runtime.log.error('replication.stranger', { server: name, cluster, clusterId, own: own.clusterId });
      throw new ServiceError('REFUSED', `${name} of cluster ${cluster} (${clusterId}) does not belong to ${own.name}`);
    }
    peer.greeting = greeting;
    return own;
  }

  withId(id: MemberId): Peer | undefined {
    return this.all.find((peer) => peer.greeting?.id === id);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.all.map(({ remote }) => remote.close()));
  }

  #connect(other: PeerAddress): Peer {
    const limits = { deadlineMs: DEADLINE_MS, connectDeadlineMs: CONNECT_DEADLINE_MS, whileDown: 'fail' } as const;
    const secret = this.#secret === undefined ? {} : { secret: this.#secret };
    const remote = connectRemote({ ...other, ...limits, ...secret }, this.#runtime);
    const service = remote.service<GroupService>('group');
    const peer: Peer = { name: other.name, address: other.address, service, remote, greeting: null };
    remote.onStateChange((state) => {
      peer.greeting = null;
      if (state === 'up') void this.#greet(peer);
    });
    return peer;
  }

  /** Again until it answers, or is not connected any more. */
  async #greet(peer: Peer): Promise<void> {
    const { clock, log } = this.#runtime;
    let told = '';
    while (peer.remote.state === 'up') {
      try {
        const own = this.#own();
        if (own !== null) {
          const greeting = await peer.service.hello(own);
          if (greeting.name !== peer.name) throw new ServiceError('REFUSED', `it is ${greeting.name}`);
          this.heard(greeting);
          this.learn(greeting.servers);
          return;
        }
      } catch (error) {
        rethrowProgramFault(error);
        const isNews = error instanceof ServiceError && error.code === 'REFUSED' && error.message !== told;
        if (isNews) told = error.message;
        log[isNews ? 'error' : 'debug']('replication.not_greeted', { server: peer.name, ...errorFields(error) });
      }
      await sleep(clock, GREETING_PAUSE_MS);
    }
  }
}
