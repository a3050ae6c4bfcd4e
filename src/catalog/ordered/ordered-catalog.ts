// The catalog under a protocol that keeps one order: all servers log the same changes and carry them out, and one of them answers.
import { ServiceError } from '../../protocol/errors.js';
import type { Greeting, GroupService } from '../../protocol/services/group.js';
import { nameOf } from '../../replication/core/members.js';
import { IncomingStates } from '../../replication/link/incoming-states.js';
import { Peers } from '../../replication/link/peers.js';
import { errorFields } from '../../runtime/caught-errors.js';
import type { Timer } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import { randomHex } from '../../runtime/random.js';
import type { Runtime } from '../../runtime/runtime.js';
import { SerialQueue } from '../../runtime/serial-queue.js';
import type { Asker, Catalog, CatalogStatus, Changed, Found, Listed } from '../catalog.js';
import type { CatalogMap } from '../map/catalog-map.js';
import { type Command, checkCommand } from '../map/commands.js';
import { CatalogError } from '../map/errors.js';
import { checkPath, ROOT } from '../map/paths.js';
import { Watchers } from '../map/watchers.js';
import { groupText } from '../peers/belonging.js';
import { mustBeOwn } from '../storage/own-store.js';
import { AppliedMap } from './applied-map.js';
import { ComingAndGoing, firstMark, lostVoters } from './coming-and-going.js';
import { Founding, founderId } from './founding.js';
import type { Identity, Keeper } from './keeper.js';
import type { OrderedProtocol } from './make-core.js';
import type { OrderedOptions } from './options.js';
import { Participation } from './participation.js';
import { RaftCalls } from './raft-calls.js';
import { Requests } from './requests.js';
import { foundingService, groupService } from './services.js';
import { Standings } from './standings.js';
import { DEFAULT_TIMING } from './timing.js';

const INCARNATION_BYTES = 8;
/** A log that can't be written is opened anew. */
const TRY_AGAIN_MS = 1000;
const LOOK_AT_SERVERS_MS = 300;

export class OrderedCatalog implements Catalog {
  readonly protocol: OrderedProtocol;
  readonly services: Record<string, object>;
  /** Of raft only. */
  readonly raft?: RaftCalls;
  readonly #watchers: Watchers;
  readonly #requests: Requests;
  readonly #states: IncomingStates;
  readonly #peers: Peers;
  readonly #founding: Founding;
  readonly #membership: ComingAndGoing;
  readonly #standings: Standings;
  /** Beginning and ending to take part. */
  readonly #turns = new SerialQueue();
  #applied: AppliedMap;
  #participation: Participation | null = null;
  /** Why nobody can lead any more. */
  #lostMajority: string | null = null;
  #isCrashed = false;
  #isClosed = false;
  #starting: Promise<void> = Promise.resolve();
  #again: Timer | null = null;
  #look: Timer | null = null;

  readonly #keeper: Keeper;
  readonly #options: OrderedOptions;
  readonly #runtime: Runtime;

  private constructor(
    identity: Identity,
    applied: AppliedMap,
    keeper: Keeper,
    options: OrderedOptions,
    runtime: Runtime,
  ) {
    this.protocol = options.protocol;
    this.#applied = applied;
    this.#keeper = keeper;
    this.#options = options;
    this.#runtime = runtime;
    this.#watchers = new Watchers(runtime.clock);
    const { name, servers, secret } = options;
    this.#states = new IncomingStates(async (...state) => {
      const member = this.#participation?.member;
      if (member === undefined) throw new ServiceError('REFUSED', 'this server takes no part');
      await member.receiveState(...state);
    }, runtime);
    this.#peers = new Peers({
      name,
      own: () => this.#greeting,
      others: servers.filter((server) => server.name !== name),
      runtime,
      ...(secret === undefined ? {} : { secret }),
    });
    this.#standings = new Standings({
      ...{ name, protocol: options.protocol, configured: servers },
      applied: () => this.#applied,
      participation: () => this.#participation,
      isCrashed: () => this.#isCrashed,
      lostMajority: () => this.#lostMajority,
      isUp: (other) => this.#peers.all.find((peer) => peer.name === other)?.greeting != null,
    });
    this.#founding = new Founding(keeper, groupText(options), identity.founders.map(nameOf));
    this.#requests = new Requests({
      map: () => this.#map,
      applied: () => this.#applied.applied,
      participation: () => this.#participation,
      watchers: this.#watchers,
      refusal: () => this.#refusal,
      notLeader: () => this.#standings.notLeader,
      lostMajority: () => this.#lostMajority,
      clock: runtime.clock,
    });
    this.#membership = new ComingAndGoing(identity, {
      ...{ keeper, options, runtime },
      ...{ peers: this.#peers, founding: this.#founding, standings: this.#standings, requests: this.#requests },
      map: () => this.#map,
      participation: () => this.#participation,
      takePart: () => this.#turns.run(() => this.#takePart()),
      endParticipation: () => this.#turns.run(() => this.#endParticipation()),
      beginAt: async (first) => {
        this.#applied = await AppliedMap.open(first, keeper);
      },
      isCrashed: () => this.#isCrashed,
      isClosed: () => this.#isClosed,
    });
    if (options.protocol === 'raft') this.raft = new RaftCalls(() => this.#mustTakePart());
    this.services = {
      group: this.#groupService(),
      founding: foundingService(this.#founding, () => this.#membership.dismissed()),
    };
  }

  /** Throws for a store of another server, cluster or protocol. */
  static async open(options: OrderedOptions, keeper: Keeper, runtime: Runtime): Promise<OrderedCatalog> {
    const { name, cluster, protocol, servers, isNewcomer } = options;
    let identity = await keeper.identity();
    if (identity === undefined) {
      const founders = isNewcomer ? [] : servers.map((server) => founderId(server.name)).sort();
      const incarnation = randomHex(runtime.random, INCARNATION_BYTES);
      identity = { cluster, protocol, name, incarnation, self: null, founders, isRemoved: false };
      await keeper.keepIdentity(identity);
    }
    mustBeOwn(keeper.where, identity, options);
    const applied = await AppliedMap.open(firstMark(identity), keeper);
    return new OrderedCatalog(identity, applied, keeper, options, runtime);
  }

  /** The others must reach this server by now. Resolves when it takes part. */
  start(): Promise<void> {
    this.#starting = this.#membership.start();
    this.#look = this.#lookAtServers();
    return this.#starting;
  }

  get isLeader(): boolean {
    return this.#participation?.member.status.role === 'leader';
  }

  get isCrashed(): boolean {
    return this.#isCrashed;
  }

  async change(command: Command, asker: Asker = {}): Promise<Changed> {
    checkCommand(command);
    const token = asker.token ?? this.#membership.newToken();
    const outcome = await this.#requests.carryOut({ kind: 'command', token, command }, asker.limitMs);
    if (!outcome.isDone) throw new CatalogError(outcome.code, outcome.message);
    return { version: outcome.version };
  }

  async get(path: string, { limitMs }: Asker = {}): Promise<Found> {
    checkPath(path);
    await this.#requests.confirm({ limitMs });
    const value = this.#map.get(path);
    if (value !== undefined) return value;
    if (path === ROOT) return { bytes: new Uint8Array(), version: 0 };
    throw new CatalogError('NOT_FOUND', `${path} is not there`);
  }

  async list(path: string, { limitMs }: Asker = {}): Promise<Listed> {
    checkPath(path);
    await this.#requests.confirm({ limitMs });
    if (!this.#map.tree.has(path)) throw new CatalogError('NOT_FOUND', `${path} is not there`);
    return { names: this.#map.tree.namesBelow(path) };
  }

  async below(path: string): Promise<[string, Found][]> {
    await this.#requests.confirm({ byRound: true });
    return [...this.#map.tree.below(path)];
  }

  versionHere(path: string): number {
    return this.#map.tree.versionOf(path);
  }

  async waitForChange(path: string, version: number, limitMs: number): Promise<void> {
    await this.#watchers.until(() => this.versionHere(path) !== version || this.#refusal !== null, limitMs);
  }

  get facts(): CatalogStatus['details'] {
    return this.#standings.facts;
  }

  async status(): Promise<CatalogStatus> {
    return this.#standings.status;
  }

  async crash(): Promise<void> {
    this.#isCrashed = true;
    this.#watchers.notify();
    await this.#turns.run(() => this.#endParticipation());
  }

  async restore(): Promise<void> {
    this.#isCrashed = false;
    await this.#turns.run(() => this.#takePart());
  }

  addServer(name: string, address: string, limitMs?: number): Promise<void> {
    return this.#membership.add(name, address, limitMs);
  }

  removeServer(name: string, limitMs?: number): Promise<boolean> {
    return this.#membership.remove(name, limitMs);
  }

  /** A leader hands over first. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#again?.cancel();
    this.#look?.cancel();
    if (this.isLeader) await this.#participation?.leadership.handOver();
    this.#watchers.close();
    await this.#states.close();
    await this.#turns.run(() => this.#endParticipation());
    await this.#peers.close();
    await this.#starting;
    if (!this.#isCrashed) await this.#applied.keep();
  }

  get #map(): CatalogMap {
    return this.#applied.map;
  }

  get #refusal(): CatalogError | null {
    if (this.#isCrashed) return new CatalogError('CRASHED', `${this.#options.name} is crashed`);
    if (this.#isClosed) return new CatalogError('UNAVAILABLE', `${this.#options.name} is being stopped`);
    if (this.#membership.isRemoved || this.#participation?.standing === 'removed') {
      return new CatalogError('UNAVAILABLE', `${this.#options.name} was removed from its group`);
    }
    return null;
  }

  #mustTakePart(): Participation {
    const refusal = this.#refusal;
    if (refusal !== null) throw refusal;
    if (this.#participation === null) throw new CatalogError('UNAVAILABLE', 'this server takes no part yet');
    return this.#participation;
  }

  get #greeting(): Greeting | null {
    if (!this.#membership.isIntroduced) return null;
    const { name } = this.#options;
    const standing = this.#participation?.standing ?? 'blank';
    return {
      name,
      id: this.#membership.self,
      hasGroup: standing !== 'blank',
      cluster: groupText(this.#options),
      clusterId: null,
      servers: this.#standings.places,
    };
  }

  #groupService(): GroupService {
    return groupService({
      cluster: groupText(this.#options),
      peers: this.#peers,
      states: this.#states,
      founding: this.#founding,
      participation: () => this.#participation,
      appliedIndex: () => this.#applied.applied.index,
      isCrashed: () => this.#isCrashed,
      places: () => this.#standings.places,
      add: ({ name, address }) => this.addServer(name, address),
      remove: async (name) => void (await this.removeServer(name)),
    });
  }

  /** Unless it does already, is crashed, or does not know yet who it is. */
  async #takePart(): Promise<void> {
    const { self, isRemoved } = this.#membership;
    if (this.#participation !== null || this.#isCrashed || isRemoved || this.#isClosed || self === null) return;
    this.#participation = await Participation.begin({
      self,
      protocol: this.protocol,
      timing: this.#options.timing ?? DEFAULT_TIMING,
      applied: this.#applied,
      keeper: this.#keeper,
      peers: this.#peers,
      runtime: this.#runtime,
      changed: () => this.#watchers.notify(),
      failed: (error) => this.#noteFailure(error),
    });
    this.#peers.announce();
  }

  async #endParticipation(): Promise<void> {
    const participation = this.#participation;
    this.#participation = null;
    await participation?.end();
    this.#watchers.notify();
  }

  /** Its log can't be written: it takes no part until it can. */
  #noteFailure(error: unknown): void {
    rethrowProgramFault(error);
    this.#runtime.log.error('catalog.log_failed', errorFields(error));
    this.#again = this.#runtime.clock.after(TRY_AGAIN_MS, () => {
      this.#turns
        .run(async () => {
          await this.#endParticipation();
          await this.#takePart();
        })
        .catch((failure: unknown) => this.#noteFailure(failure));
    });
  }

  /** Those that were added are connected to, where the group has them. */
  #lookAtServers(): Timer {
    const servers = [...this.#map.servers].map(([name, address]) => ({ name, address }));
    this.#peers.learn(servers, { moved: true });
    this.#lookForMajority();
    return this.#runtime.clock.after(LOOK_AT_SERVERS_MS, () => {
      this.#look = this.#lookAtServers();
    });
  }

  /** Servers in memory that were started anew are other members: with most of them, what was stored is lost. */
  #lookForMajority(): void {
    const { leader, members } = this.#participation?.member.status ?? { leader: null, members: { voters: [] } };
    const lost = leader === null ? lostVoters(members.voters, this.#peers) : [];
    if (lost.length * 2 < members.voters.length || lost.length === 0) {
      this.#lostMajority = null;
      return;
    }
    const words = `${lost.join(', ')} have come back without what they had, and the rest is no majority: nobody can lead any more`;
    if (this.#lostMajority === null) {
      this.#runtime.log.error('catalog.majority_lost', {
        lost,
        advice: 'stop all servers, and start them with empty stores',
      });
    }
    this.#lostMajority = `${words}. Stop all servers, and start them with empty stores`;
  }
}
