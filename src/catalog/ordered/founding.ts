// Who founds a group. All configured servers are its founders, and need not be there at once: a majority suffices to begin. So that a
// server whose disk was lost does not come back as the founder that it was, which may have voted and acknowledged, each founder first
// has its disk registered by a majority, and two disks of one server never both are.

import { ServiceError } from '../../protocol/errors.js';
import type { MemberId } from '../../replication/core/members.js';
import type { Peer } from '../../replication/link/peers.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { sleep } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import { SerialQueue } from '../../runtime/serial-queue.js';
import { mustBelong } from '../peers/belonging.js';
import type { Keeper } from './keeper.js';

const PAUSE_MS = 100;
const DEADLINE_MS = 1000;

export interface Registration {
  /** Of the server that is to be registered. */
  readonly name: string;
  readonly incarnation: string;
  /** What the server belongs to, by groupText. */
  readonly cluster: string;
  /** Names of all founders, sorted: whoever is configured otherwise founds nothing with this one. */
  readonly founders: readonly string[];
}

export interface FoundingService {
  /** refused: this server is no founder, or another disk of it is: it must ask to join. REFUSED for one of another cluster or protocol. */
  register(request: Registration): Promise<{ answer: 'registered' | 'refused' }>;
  /** The server that is asked was taken out of its group. */
  dismiss(request: Record<string, never>): Promise<Record<string, never>>;
}

export function founderId(name: string): MemberId {
  return `${name}/founder`;
}

export class Founding {
  readonly #queue = new SerialQueue();
  /** Why it was not registered, as it was logged. */
  readonly #told = new Set<string>();
  readonly #keeper: Keeper;
  readonly #cluster: string;
  /** Names, sorted; empty for a server that has come later. */
  #founders: readonly string[];

  /** @param cluster what this server belongs to, by groupText */
  constructor(keeper: Keeper, cluster: string, founders: readonly string[]) {
    this.#keeper = keeper;
    this.#cluster = cluster;
    this.#founders = founders;
  }

  /** This server comes later: there is a group, and nobody founds it any more. It may be all that remembers. */
  renounce(): void {
    this.#founders = [];
  }

  /** What this server knows of that disk, on stable storage when it resolves. Rejects with REFUSED for a disk of another cluster. */
  register({ name, incarnation, cluster, founders }: Registration): Promise<'registered' | 'refused'> {
    return this.#queue.run(async () => {
      mustBelong(this.#cluster, cluster, name);
      if (!this.#founders.includes(name) || founders.join() !== this.#founders.join()) return 'refused';
      const known = await this.#keeper.registrations();
      if (known[name] === undefined) await this.#keeper.keepRegistrations({ ...known, [name]: incarnation });
      return (known[name] ?? incarnation) === incarnation ? 'registered' : 'refused';
    });
  }

  /**
   * Resolves to true when this server is a founder, to false when it must ask to join, and to undefined after a close.
   * @param peers all other servers that are known
   */
  async settle(
    own: { name: string; incarnation: string },
    peers: () => readonly Peer[],
    { clock, log }: Runtime,
    isClosed: () => boolean,
  ): Promise<boolean | undefined> {
    if (this.#founders.length === 0) return false;
    const { name, incarnation } = own;
    const registration = { name, incarnation, cluster: this.#cluster, founders: this.#founders };
    if ((await this.register(registration)) === 'refused') return false;
    while (!isClosed()) {
      const founders = peers().filter(({ name }) => this.#founders.includes(name));
      const answers = await Promise.all(
        founders.map((peer) => ask(peer, registration, (error) => this.#tell(peer, error, log))),
      );
      if (answers.includes('refused')) return false;
      const count = 1 + answers.filter((answer) => answer === 'registered').length;
      if (count > this.#founders.length / 2) return true;
      await sleep(clock, PAUSE_MS);
    }
    return undefined;
  }

  /** Each reason once: it is asked again and again. */
  #tell({ name }: Peer, error: ServiceError, log: Runtime['log']): void {
    if (this.#told.has(error.message)) return;
    this.#told.add(error.message);
    log.error('catalog.not_registered', { at: name, ...errorFields(error) });
  }
}

/** @param refused by a server of another cluster or protocol */
async function ask(
  { remote }: Peer,
  registration: Registration,
  refused: (error: ServiceError) => void,
): Promise<'registered' | 'refused' | null> {
  if (remote.state !== 'up') return null;
  try {
    const service = remote.service<{
      register(request: Registration, options: object): ReturnType<FoundingService['register']>;
    }>('founding');
    return (await service.register(registration, { deadlineMs: DEADLINE_MS })).answer;
  } catch (error) {
    rethrowProgramFault(error);
    if (error instanceof ServiceError && error.code === 'REFUSED') refused(error);
    // It can't be reached, or is another server: it is asked again.
    return null;
  }
}
