// The catalog under a protocol that keeps one order: all servers log the same changes and carry them out, and one of them answers.
import { ServiceError } from '../../protocol/errors.js';
import type { Greeting, GroupService, ServerPlace } from '../../protocol/services/group.js';
import type { Mark } from '../../replication/core/core.js';
import { type MemberId, nameOf } from '../../replication/core/members.js';
import { askToJoin } from '../../replication/group/ask-to-join.js';
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
import { groupText, mustBeNew, mustBeThere } from '../peers/belonging.js';
import { introduce } from '../peers/introduction.js';
import { mustBeOwn } from '../storage/own-store.js';
import { AppliedMap } from './applied-map.js';
import { Founding, type FoundingService, founderId } from './founding.js';
import type { Identity, Keeper } from './keeper.js';
import type { OrderedProtocol } from './make-core.js';
import { Participation } from './participation.js';
import { RaftCalls } from './raft-calls.js';
import { Requests } from './requests.js';
import { foundingService, groupService } from './services.js';
import { Standings } from './standings.js';
import { DEFAULT_TIMING, type Timing } from './timing.js';

const TOKEN_BYTES = 12;
const INCARNATION_BYTES = 8;
/** A log that can't be written is opened anew. */
const TRY_AGAIN_MS = 1000;
const LOOK_AT_SERVERS_MS = 300;

export interface OrderedOptions {
  readonly name: string;
  readonly address: string;
  readonly cluster: string;
  readonly protocol: OrderedProtocol;
  /** All servers that are known at the start, this one included. */
  readonly servers: readonly ServerPlace[];
  /** It comes into a group that is there already: it founds none. */
  readonly isNewcomer: boolean;
  readonly secret?: string;
  readonly timing?: Timing;
}

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
  readonly #standings: Standings;
  /** Beginning and ending to take part. */
  readonly #turns = new SerialQueue();
  #applied: AppliedMap;
  #self: MemberId | null = null;
  #participation: Participation | null = null;
  /** The others know where it is, or will be told first. */
  #isIntroduced: boolean;
  #isCrashed = false;
  #isRemoved: boolean;
  #isClosed = false;
  #starting: Promise<void> = Promise.resolve();
  #again: Timer | null = null;
  #look: Timer | null = null;

  readonly #identity: Identity;
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
    this.#identity = identity;
    this.#isRemoved = identity.isRemoved;
    this.#isIntroduced = identity.self !== null || identity.founders.length > 0;
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
    });
    if (options.protocol === 'raft') this.raft = new RaftCalls(() => this.#mustTakePart());
    this.services = {
      group: this.#groupService(),
      founding: foundingService(this.#founding, () => this.#dismissed()),
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
    this.#starting = this.#start();
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
    const token = asker.token ?? this.#newToken();
    const outcome = await this.#requests.carryOut({ kind: 'command', token, command });
    if (!outcome.isDone) throw new CatalogError(outcome.code, outcome.message);
    return { version: outcome.version };
  }

  async get(path: string): Promise<Found> {
    checkPath(path);
    await this.#requests.confirm();
    const value = this.#map.get(path);
    if (value !== undefined) return value;
    if (path === ROOT) return { bytes: new Uint8Array(), version: 0 };
    throw new CatalogError('NOT_FOUND', `${path} is not there`);
  }

  async list(path: string): Promise<Listed> {
    checkPath(path);
    await this.#requests.confirm();
    if (!this.#map.tree.has(path)) throw new CatalogError('NOT_FOUND', `${path} is not there`);
    return { names: this.#map.tree.namesBelow(path) };
  }

  async below(path: string): Promise<[string, Found][]> {
    await this.#requests.confirm(true);
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

  async addServer(name: string, address: string): Promise<void> {
    await this.#requests.confirm();
    mustBeNew(this.#standings.places, { name, address });
    const outcome = await this.#requests.carryOut({ kind: 'server', token: this.#newToken(), name, address });
    if (!outcome.isDone) throw new CatalogError(outcome.code, outcome.message);
    this.#peers.learn([{ name, address }]);
  }

  /** Takes a server out of the group; it may be this one. */
  async removeServer(name: string): Promise<void> {
    await this.#requests.confirm();
    mustBeThere(this.#standings.places, name);
    const part = this.#participation;
    if (part === null) throw this.#standings.notLeader;
    try {
      await part.membership.remove(name);
    } catch (error) {
      if (error instanceof ServiceError && error.code === 'NOT_LEADER') throw this.#standings.notLeader;
      if (error instanceof ServiceError) throw new CatalogError('BAD_REQUEST', error.message);
      throw error;
    }
    await this.#requests.carryOut({ kind: 'server', token: this.#newToken(), name, address: null });
    await this.#tellOfRemoval(name);
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
    if (this.#isRemoved || this.#participation?.standing === 'removed') {
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
    if (!this.#isIntroduced) return null;
    const { name } = this.#options;
    const standing = this.#participation?.standing ?? 'blank';
    return {
      name,
      id: this.#self,
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
      remove: (name) => this.removeServer(name),
    });
  }

  #newToken(): string {
    return randomHex(this.#runtime.random, TOKEN_BYTES);
  }

  async #start(): Promise<void> {
    const isClosed = () => this.#isClosed;
    if (this.#identity.self === null) {
      const isFounder = await this.#founding.settle(this.#identity, () => this.#peers.all, this.#runtime, isClosed);
      if (isFounder === undefined) return;
      await this.#become(isFounder);
    }
    this.#self = (await this.#keeper.identity())?.self ?? null;
    await this.#turns.run(() => this.#takePart());
    const self = this.#self;
    if (self === null) return;
    if (this.#participation?.standing === 'blank') await this.#introduce();
    const standing = () => ({
      standing: this.#isRemoved ? ('removed' as const) : (this.#participation?.standing ?? 'blank'),
      hasLeader: this.#participation?.member.status.leader != null || this.#isCrashed,
    });
    await askToJoin(self, standing, { peers: this.#peers, runtime: this.#runtime, isClosed });
    this.#peers.announce();
  }

  /** It hears nothing of its group any more: if it is not told now, it waits for a leader in vain. */
  async #tellOfRemoval(name: string): Promise<void> {
    const service = this.#peers.all.find((peer) => peer.name === name)?.remote.service<FoundingService>('founding');
    await service?.dismiss({}).catch((error: unknown) => {
      rethrowProgramFault(error);
      this.#runtime.log.info('catalog.not_dismissed', { server: name, ...errorFields(error) });
    });
  }

  async #dismissed(): Promise<void> {
    const identity = await this.#keeper.identity();
    if (identity !== undefined) await this.#keeper.keepIdentity({ ...identity, isRemoved: true });
    this.#isRemoved = true;
    await this.#turns.run(() => this.#endParticipation());
  }

  /** The others must know where this server is before they talk to it. */
  async #introduce(): Promise<void> {
    const { name, address } = this.#options;
    await introduce(
      { name, address, cluster: groupText(this.#options) },
      () => this.#peers.all,
      this.#runtime,
      () => this.#isClosed,
    );
    this.#isIntroduced = true;
    this.#peers.announce();
  }

  async #become(isFounder: boolean): Promise<void> {
    const { name, incarnation } = this.#identity;
    const identity: Identity = isFounder
      ? { ...this.#identity, self: founderId(name) }
      : { ...this.#identity, self: `${name}/${incarnation}`, founders: [] };
    if (!isFounder) this.#founding.renounce();
    await this.#keeper.keepIdentity(identity);
    this.#runtime.log.info(isFounder ? 'catalog.founder' : 'catalog.newcomer', { member: identity.self });
    this.#applied = await AppliedMap.open(firstMark(identity), this.#keeper);
  }

  /** Unless it does already, is crashed, or does not know yet who it is. */
  async #takePart(): Promise<void> {
    if (this.#participation !== null || this.#isCrashed || this.#isRemoved || this.#isClosed) return;
    if (this.#self === null) return;
    this.#participation = await Participation.begin({
      self: this.#self,
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

  /** Those that were added are connected to. */
  #lookAtServers(): Timer {
    this.#peers.learn([...this.#map.servers].map(([name, address]) => ({ name, address })));
    return this.#runtime.clock.after(LOOK_AT_SERVERS_MS, () => {
      this.#look = this.#lookAtServers();
    });
  }
}

function firstMark({ founders }: Identity): Mark {
  return { index: 0, term: 0, members: { voters: founders, learners: [] } };
}
