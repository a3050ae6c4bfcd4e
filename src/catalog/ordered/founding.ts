// Who founds a group. All configured servers are its founders, and need not be there at once: a majority suffices to begin. So that a
// server whose disk was lost does not come back as the founder that it was, which may have voted and acknowledged, each founder first
// has its disk registered by a majority, and two disks of one server never both are.
import type { MemberId } from '../../replication/core/members.js';
import type { Peer } from '../../replication/link/peers.js';
import { sleep } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import { SerialQueue } from '../../runtime/serial-queue.js';
import type { Keeper } from './keeper.js';

const PAUSE_MS = 100;
const DEADLINE_MS = 1000;

export interface Registration {
  /** Of the server that is to be registered. */
  readonly name: string;
  readonly incarnation: string;
  /** Names of all founders, sorted: whoever is configured otherwise founds nothing with this one. */
  readonly founders: readonly string[];
}

export interface FoundingService {
  /** refused: this server is no founder, or another disk of it is: it must ask to join. */
  register(request: Registration): Promise<{ answer: 'registered' | 'refused' }>;
  /** The server that is asked was taken out of its group. */
  dismiss(request: Record<string, never>): Promise<Record<string, never>>;
}

export function founderId(name: string): MemberId {
  return `${name}/founder`;
}

export class Founding {
  readonly #queue = new SerialQueue();
  readonly #keeper: Keeper;
  /** Names, sorted; empty for a server that has come later. */
  #founders: readonly string[];

  constructor(keeper: Keeper, founders: readonly string[]) {
    this.#keeper = keeper;
    this.#founders = founders;
  }

  /** This server comes later: there is a group, and nobody founds it any more. It may be all that remembers. */
  renounce(): void {
    this.#founders = [];
  }

  /** What this server knows of that disk, on stable storage when it resolves. */
  register({ name, incarnation, founders }: Registration): Promise<'registered' | 'refused'> {
    return this.#queue.run(async () => {
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
    { clock }: Runtime,
    isClosed: () => boolean,
  ): Promise<boolean | undefined> {
    if (this.#founders.length === 0) return false;
    const registration = { ...own, founders: this.#founders };
    if ((await this.register(registration)) === 'refused') return false;
    while (!isClosed()) {
      const founders = peers().filter(({ name }) => this.#founders.includes(name));
      const answers = await Promise.all(founders.map((peer) => ask(peer, registration)));
      if (answers.includes('refused')) return false;
      const count = 1 + answers.filter((answer) => answer === 'registered').length;
      if (count > this.#founders.length / 2) return true;
      await sleep(clock, PAUSE_MS);
    }
    return undefined;
  }
}

async function ask({ remote }: Peer, registration: Registration): Promise<'registered' | 'refused' | null> {
  if (remote.state !== 'up') return null;
  try {
    const service = remote.service<{
      register(request: Registration, options: object): ReturnType<FoundingService['register']>;
    }>('founding');
    return (await service.register(registration, { deadlineMs: DEADLINE_MS })).answer;
  } catch (error) {
    rethrowProgramFault(error);
    // It can't be reached, or is another server: it is asked again.
    return null;
  }
}
