// What a server knows of its group, and says of it: who belongs to it, where they are, who leads, how far this server is.
import type { ServerPlace } from '../../protocol/services/group.js';
import { nameOf } from '../../replication/core/members.js';
import { reignNumber } from '../../replication/core/primary-backup/reigns.js';
import type { CatalogStatus } from '../catalog.js';
import { CatalogError } from '../map/errors.js';
import type { AppliedMap } from './applied-map.js';
import type { OrderedProtocol } from './make-core.js';
import type { Participation } from './participation.js';
import { PROMISES } from './promises.js';

export interface StandingsParts {
  /** Of this server. */
  readonly name: string;
  readonly protocol: OrderedProtocol;
  readonly configured: readonly ServerPlace[];
  readonly applied: () => AppliedMap;
  /** null while this server takes no part. */
  readonly participation: () => Participation | null;
  readonly isCrashed: () => boolean;
  /** Why nobody can lead any more. */
  readonly lostMajority: () => string | null;
  /** Whether another server can be reached. */
  readonly isUp: (name: string) => boolean;
}

export class Standings {
  readonly #parts: StandingsParts;

  constructor(parts: StandingsParts) {
    this.#parts = parts;
  }

  get leaderName(): string | null {
    const leader = this.#known?.leader ?? null;
    return leader === null ? null : nameOf(leader);
  }

  /** Where the servers are: as configured, and those that were added. */
  get places(): ServerPlace[] {
    const { configured, applied } = this.#parts;
    const { servers } = applied().map;
    const places = new Map(configured.map(({ name, address }) => [name, address]));
    for (const [name, address] of servers) places.set(name, address);
    const members = this.#known?.members;
    const known = [...(members?.voters ?? []), ...(members?.learners ?? [])].map(nameOf);
    return [...places]
      .filter(([name]) => known.length === 0 || known.includes(name) || servers.has(name))
      .map(([name, address]) => ({ name, address }));
  }

  get notLeader(): CatalogError {
    const name = this.leaderName;
    const address = this.places.find((server) => server.name === name)?.address;
    if (name === null || address === undefined) return new CatalogError('NOT_LEADER', 'no leader is known');
    return new CatalogError('NOT_LEADER', `${name} leads, at ${address}`, { name, address });
  }

  get facts(): CatalogStatus['details'] {
    const { protocol, applied, participation } = this.#parts;
    const known = this.#known;
    const term = known?.term ?? 0;
    return {
      role: this.#role,
      leader: this.leaderName ?? 'none',
      term: protocol === 'primary-backup' ? reignNumber(term) : term,
      lastIndex: known?.lastIndex ?? 0,
      committedIndex: known?.committed ?? 0,
      appliedIndex: applied().applied.index,
      isServing: participation()?.member.isServing ?? false,
    };
  }

  get status(): CatalogStatus {
    const { name, protocol, isCrashed, lostMajority } = this.#parts;
    return {
      ...{ name, protocol, role: this.#role, isCrashed: isCrashed(), leader: this.leaderName },
      servers: this.places.map((server) => ({ ...server, role: this.#roleOf(server) })),
      promise: lostMajority() ?? PROMISES[protocol],
      details: this.facts,
    };
  }

  get #known() {
    return this.#parts.participation()?.member.status;
  }

  get #role(): string {
    if (this.#parts.isCrashed()) return 'crashed';
    const known = this.#known;
    return known === undefined || known.members.voters.length === 0 ? 'blank' : known.role;
  }

  #roleOf({ name }: ServerPlace): string {
    if (name === this.#parts.name) return this.#role;
    if (!this.#parts.isUp(name)) return 'unreachable';
    if (name === this.leaderName) return 'leader';
    return this.#known?.members.voters.map(nameOf).includes(name) === true ? 'follower' : 'learner';
  }
}
