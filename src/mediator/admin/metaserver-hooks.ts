// Test hooks for metaservers, which their supervisor carries out.
import { ServiceError } from '../../protocol/errors.js';
import { majorityOf } from '../../protocol/values/quorum.js';
import type { MetaserverPart } from '../metadata/metaservers.js';
import { askGroup, metaserverStatuses } from './metaserver-status.js';

/** Whoever started the servers on this machine. */
export interface ServerSupervisor {
  /** A new process for a server; resolves when it serves. */
  restart(name: string, blank: boolean): Promise<void>;
  /** Ends a server's process as a crash would, and leaves it so; resolves when it is gone. */
  terminate(name: string): Promise<void>;
}

export class MetaserverHooks {
  readonly #metaservers: readonly MetaserverPart[];
  readonly #supervisor: ServerSupervisor | undefined;

  constructor(metaservers: readonly MetaserverPart[], supervisor: ServerSupervisor | undefined) {
    this.#metaservers = metaservers;
    this.#supervisor = supervisor;
  }

  has(server: string): boolean {
    return this.#metaservers.some(({ name }) => name === server);
  }

  async terminate(server: string): Promise<Record<string, never>> {
    await this.#supervisorOf(server).terminate(server);
    return {};
  }

  async restart(server: string, blank: boolean): Promise<Record<string, never>> {
    const supervisor = this.#supervisorOf(server);
    if (blank) await this.#requireOthers(server);
    await supervisor.restart(server, blank);
    return {};
  }

  #supervisorOf(server: string): ServerSupervisor {
    if (this.#supervisor !== undefined) return this.#supervisor;
    throw new ServiceError('FAILED', `nobody supervises ${server} here: end and start it on its host`);
  }

  /** What is to be wiped must not be needed: all that is committed is on the others, and they let it in again. */
  async #requireOthers(server: string): Promise<void> {
    const answers = await askGroup(this.#metaservers);
    const voters = metaserverStatuses(this.#metaservers, answers, new Error('it was not asked')).filter(
      ({ isVoter }) => isVoter,
    );
    const others = voters.filter(({ name, state }) => name !== server && state === 'up').length;
    const needed = majorityOf(voters.length);
    if (this.#metaservers.length > 1 && others >= needed) return;
    throw new ServiceError(
      'REFUSED',
      this.#metaservers.length === 1
        ? `${server} is the only metaserver: with its store all names would be lost`
        : `${server} is not wiped: ${others} others are there, and ${needed} must be, or names could be lost`,
    );
  }
}
