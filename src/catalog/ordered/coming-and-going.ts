// How this server comes into its group, and how others come and go.
import { ServiceError } from '../../protocol/errors.js';
import type { Mark } from '../../replication/core/core.js';
import { type MemberId, nameOf } from '../../replication/core/members.js';
import { askToJoin } from '../../replication/group/ask-to-join.js';
import type { Peers } from '../../replication/link/peers.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import { randomHex } from '../../runtime/random.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { CatalogMap } from '../map/catalog-map.js';
import { CatalogError } from '../map/errors.js';
import { groupText, mustBeNew, mustBeThere } from '../peers/belonging.js';
import { introduce } from '../peers/introduction.js';
import { type Founding, type FoundingService, founderId } from './founding.js';
import type { Identity, Keeper } from './keeper.js';
import type { OrderedOptions } from './options.js';
import type { Participation } from './participation.js';
import type { Requests } from './requests.js';
import type { Standings } from './standings.js';

const TOKEN_BYTES = 12;

export interface ComingAndGoingParts {
  readonly keeper: Keeper;
  readonly peers: Peers;
  readonly founding: Founding;
  readonly standings: Standings;
  readonly requests: Requests;
  readonly map: () => CatalogMap;
  /** null while this server takes no part. */
  readonly participation: () => Participation | null;
  /** Begins to take part, unless something is in the way. */
  readonly takePart: () => Promise<void>;
  readonly endParticipation: () => Promise<void>;
  /** This server is another member: its state begins there, unless it has kept one. */
  readonly beginAt: (first: Mark) => Promise<void>;
  readonly isCrashed: () => boolean;
  readonly isClosed: () => boolean;
  readonly options: OrderedOptions;
  readonly runtime: Runtime;
}

export class ComingAndGoing {
  /** null until it is known which member this server is. */
  self: MemberId | null = null;
  isRemoved: boolean;
  /** The others know where it is, or will be told first. */
  isIntroduced: boolean;
  #identity: Identity;

  readonly #parts: ComingAndGoingParts;

  constructor(identity: Identity, parts: ComingAndGoingParts) {
    this.#identity = identity;
    this.isRemoved = identity.isRemoved;
    this.isIntroduced = identity.self !== null || identity.founders.length > 0;
    this.#parts = parts;
  }

  /** Resolves when this server is a voter, or will never be one, or after a close. */
  async start(): Promise<void> {
    const { keeper, founding, peers, runtime, isClosed, isCrashed, takePart, participation } = this.#parts;
    if (this.#identity.self === null) {
      const isFounder = await founding.settle(this.#identity, () => peers.all, runtime, isClosed);
      if (isFounder === undefined) return;
      await this.#become(isFounder);
    }
    const self = (await keeper.identity())?.self ?? null;
    this.self = self;
    await takePart();
    if (self === null) return;
    if (participation()?.standing === 'blank') await this.#introduce();
    const standing = () => ({
      standing: this.isRemoved ? ('removed' as const) : (participation()?.standing ?? 'blank'),
      hasLeader: participation()?.member.status.leader != null || isCrashed(),
    });
    await askToJoin(self, standing, { peers, runtime, isClosed });
    peers.announce();
  }

  /** Throws CatalogError. */
  async add(name: string, address: string, limitMs?: number): Promise<void> {
    const { requests, standings, peers } = this.#parts;
    await requests.confirm({ limitMs });
    mustBeNew(standings.places, { name, address });
    const outcome = await requests.carryOut({ kind: 'server', token: this.newToken(), name, address }, limitMs);
    if (!outcome.isDone) throw new CatalogError(outcome.code, outcome.message);
    peers.learn([{ name, address }], { moved: true });
  }

  /** Takes a server out of the group; it may be this one. @returns false when that was done before. Throws CatalogError. */
  async remove(name: string, limitMs?: number): Promise<boolean> {
    const { requests, standings, participation } = this.#parts;
    await requests.confirm({ limitMs });
    if (this.#wasRemoved(name)) return false;
    mustBeThere(standings.places, name);
    const part = participation();
    if (part === null) throw standings.notLeader;
    try {
      await part.membership.remove(name);
    } catch (error) {
      if (error instanceof ServiceError && error.code === 'NOT_LEADER') throw standings.notLeader;
      if (error instanceof ServiceError) throw new CatalogError('BAD_REQUEST', error.message);
      throw error;
    }
    await requests.carryOut({ kind: 'server', token: this.newToken(), name, address: null }, limitMs);
    await this.#tellOfRemoval(name);
    return true;
  }

  /** This server was taken out of its group. */
  async dismissed(): Promise<void> {
    const { keeper, endParticipation } = this.#parts;
    const identity = await keeper.identity();
    if (identity !== undefined) await keeper.keepIdentity({ ...identity, isRemoved: true });
    this.isRemoved = true;
    await endParticipation();
  }

  /** Of a request that comes without one. */
  newToken(): string {
    return randomHex(this.#parts.runtime.random, TOKEN_BYTES);
  }

  #wasRemoved(name: string): boolean {
    const { standings, map, options } = this.#parts;
    if (standings.places.some((place) => place.name === name)) return false;
    // The entry that notes a removal may be lost with the leader that has made it.
    return map().removed.has(name) || options.servers.some((server) => server.name === name);
  }

  /** It hears nothing of its group any more: if it is not told now, it waits for a leader in vain. */
  async #tellOfRemoval(name: string): Promise<void> {
    const { peers, runtime } = this.#parts;
    const service = peers.all.find((peer) => peer.name === name)?.remote.service<FoundingService>('founding');
    await service?.dismiss({}).catch((error: unknown) => {
      rethrowProgramFault(error);
      runtime.log.info('catalog.not_dismissed', { server: name, ...errorFields(error) });
    });
  }

  /** The others must know where this server is before they talk to it. */
  async #introduce(): Promise<void> {
    const { peers, runtime, isClosed, options } = this.#parts;
    const { name, address } = options;
    await introduce({ name, address, cluster: groupText(options) }, () => peers.all, runtime, isClosed);
    this.isIntroduced = true;
    peers.announce();
  }

  async #become(isFounder: boolean): Promise<void> {
    const { keeper, founding, runtime, beginAt } = this.#parts;
    const { name, incarnation } = this.#identity;
    const identity: Identity = isFounder
      ? { ...this.#identity, self: founderId(name) }
      : { ...this.#identity, self: `${name}/${incarnation}`, founders: [] };
    if (!isFounder) founding.renounce();
    await keeper.keepIdentity(identity);
    this.#identity = identity;
    runtime.log.info(isFounder ? 'catalog.founder' : 'catalog.newcomer', { member: identity.self });
    await beginAt(firstMark(identity));
  }
}

export function firstMark({ founders }: Identity): Mark {
  return { index: 0, term: 0, members: { voters: founders, learners: [] } };
}

/** Servers that count and have come back as other members, without what they had: as voters they never come back. */
export function lostVoters(voters: readonly MemberId[], peers: Pick<Peers, 'all'>): string[] {
  return voters.map(nameOf).filter((name, at) => {
    const greeting = peers.all.find((peer) => peer.name === name)?.greeting;
    return greeting?.id != null && greeting.id !== voters[at];
  });
}
