// The servers of a catalog where nobody leads: all are equal, and each knows all others. Who comes and goes is an entry of what they
// spread anyway.
import { ServiceError } from '../../protocol/errors.js';
import type { Greeting, GroupService, ServerPlace } from '../../protocol/services/group.js';
import { type Peer, type PeerAddress, Peers } from '../../replication/link/peers.js';
import { readGreeting, textOf } from '../../replication/link/read-greeting.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { ServerStanding } from '../catalog.js';
import { CatalogError } from '../map/errors.js';
import { groupText, mustBelong, mustBeNew, mustBeThere } from './belonging.js';
import { introduce } from './introduction.js';
import { asService } from './service-errors.js';

/** Shorter than anybody waits for an answer. */
const DEADLINE_MS = 1000;
/** A server that has not answered in time is left alone for so long. */
const SILENCE_MS = 2000;

export interface PeerGroupOptions {
  readonly name: string;
  /** Of this store: NAME/UNIQUE. A store that is blank again has another one. */
  readonly self: string;
  readonly address: string;
  readonly cluster: string;
  readonly protocol: string;
  /** All that are configured, this one included. */
  readonly servers: readonly ServerPlace[];
  /** It comes into a catalog that is there already. */
  readonly isNewcomer: boolean;
  readonly secret?: string;
}

/** Asks a service of another server. */
export type Call<Service, Result> = (service: Service, options: { deadlineMs: number }) => Promise<Result>;

export class PeerGroup<Service> {
  readonly #peers: Peers;
  readonly #silentUntilMs = new Map<string, number>();
  #isIntroduced: boolean;
  /** Those that were removed, or added, since the configuration: null for removed. */
  #changes: ReadonlyMap<string, string | null> = new Map();

  readonly #options: PeerGroupOptions;
  readonly #runtime: Runtime;

  constructor(options: PeerGroupOptions, runtime: Runtime) {
    this.#options = options;
    this.#isIntroduced = !options.isNewcomer;
    this.#runtime = runtime;
    const { name, servers, secret } = options;
    const others: PeerAddress[] = servers.filter((server) => server.name !== name);
    this.#peers = new Peers({
      name,
      own: () => this.#greeting,
      others,
      runtime,
      ...(secret === undefined ? {} : { secret }),
    });
  }

  /**
   * What others call of this server when they come.
   * @param add notes for all where a server is
   */
  greetings(add: (name: string, address: string) => Promise<void>): Pick<GroupService, 'hello' | 'add'> {
    return {
      hello: async (request) => {
        const greeting = readGreeting(request);
        this.#mustBeOnlyOne(greeting);
        return this.#peers.heard(greeting);
      },
      add: async ({ name, address, cluster }) => {
        mustBelong(groupText(this.#options), cluster, textOf(name));
        await asService(add(textOf(name), textOf(address)));
        return {};
      },
    };
  }

  /** Of a server that comes later. */
  async introduce(isClosed: () => boolean): Promise<void> {
    const { name, address } = this.#options;
    await introduce(
      { name, address, cluster: groupText(this.#options) },
      () => this.#peers.all,
      this.#runtime,
      isClosed,
    );
    this.#isIntroduced = true;
    this.#peers.announce();
  }

  /** All servers that belong to the catalog, this one included. */
  get places(): ServerPlace[] {
    const places = new Map(this.#options.servers.map(({ name, address }) => [name, address]));
    for (const [name, address] of this.#changes) {
      if (address === null) places.delete(name);
      else places.set(name, address);
    }
    return [...places]
      .map(([name, address]) => ({ name, address }))
      .sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  /** Throws CatalogError EXISTS for a server that is known to be somewhere else. */
  mustBeNew(server: ServerPlace): void {
    mustBeNew(this.places, server);
  }

  wasRemoved(name: string): boolean {
    return this.#changes.get(name) === null;
  }

  /** Throws CatalogError NOT_FOUND. */
  mustHave(name: string): void {
    mustBeThere(this.places, name);
  }

  /** The others that can be reached, in the order of their names. */
  get living(): Peer[] {
    return this.places.flatMap(({ name }) => this.peer(name) ?? []).filter((peer) => this.#isLiving(peer));
  }

  /** Whether the server can't be reached just now. */
  isGone(name: string): boolean {
    const peer = this.peer(name);
    return peer === undefined || !this.#isLiving(peer);
  }

  peer(name: string): Peer | undefined {
    return this.#peers.all.find((peer) => peer.name === name);
  }

  /** Who was added and removed, as it is spread. */
  learn(changes: ReadonlyMap<string, string | null>): void {
    this.#changes = changes;
    const added = [...changes].flatMap(([name, address]) => (address === null ? [] : [{ name, address }]));
    this.#peers.learn(added, { moved: true });
  }

  standings(role: (name: string) => string): ServerStanding[] {
    return this.places.map((place) => {
      const isHere = place.name === this.#options.name || !this.isGone(place.name);
      return { ...place, role: isHere ? role(place.name) : 'unreachable' };
    });
  }

  /** null when the other server does not answer, or refuses to. */
  async ask<Result>(
    peer: Peer,
    service: string,
    call: Call<Service, Result>,
    deadlineMs = DEADLINE_MS,
  ): Promise<Result | null> {
    try {
      const answer = await call(peer.remote.service<Service>(service), { deadlineMs });
      this.#silentUntilMs.delete(peer.name);
      return answer;
    } catch (error) {
      rethrowProgramFault(error);
      if (error instanceof CatalogError) throw error;
      this.#silentUntilMs.set(peer.name, this.#runtime.clock.monotonicMs() + SILENCE_MS);
      this.#runtime.log.debug('catalog.not_answered', { server: peer.name, ...errorFields(error) });
      return null;
    }
  }

  close(): Promise<void> {
    return this.#peers.close();
  }

  /** Two servers of one name would count as one in each other's quorums. */
  #mustBeOnlyOne({ name, id, servers }: Greeting): void {
    const known = this.peer(name);
    // Whether the other one lives or not: it may come back.
    const place = this.places.find((server) => server.name === name);
    const address = servers.find((server) => server.name === name)?.address;
    if (place !== undefined && address !== undefined && place.address !== address) {
      throw new ServiceError(
        'REFUSED',
        `${name} is at ${place.address}, and not at ${address}: remove that server first`,
      );
    }
    if (known?.remote.state !== 'up' || known.greeting === null || known.greeting.id === id) return;
    throw new ServiceError('REFUSED', `${name} lives at ${known.address} already: name the other server otherwise`);
  }

  #isLiving({ name, greeting }: Peer): boolean {
    return greeting !== null && (this.#silentUntilMs.get(name) ?? 0) <= this.#runtime.clock.monotonicMs();
  }

  get #greeting(): Greeting | null {
    if (!this.#isIntroduced) return null;
    const { name, self } = this.#options;
    const places = this.places;
    return {
      ...{ name, id: self, hasGroup: true, clusterId: null, servers: places },
      cluster: groupText(this.#options),
    };
  }
}
