// Test hooks for metaservers, which their supervisor carries out.
import { ServiceError } from '../../protocol/errors.js';
import type { MetaserverStatus } from '../../protocol/services/admin.js';
import { isCatchingUp, metaserverMajority } from '../../protocol/services/metaserver-majority.js';
import { type Clock, sleep } from '../../runtime/clock.js';
import type { MetaserverPart } from '../metadata/metaservers.js';
import { askGroup, metaserverStatuses } from './metaserver-status.js';

const POLL_MS = 50;

/** Whoever started the servers on this machine. */
export interface ServerSupervisor {
  /** A new process for a server; resolves when it serves. */
  restart(name: string, blank: boolean): Promise<void>;
  /** Ends a server's process as a crash would, and leaves it so; resolves when it is gone. */
  terminate(name: string): Promise<void>;
  /** Stops a server's process where it is, or lets it go on. */
  hold(name: string, isHeld: boolean): Promise<void>;
}

export class MetaserverHooks {
  readonly #metaservers: readonly MetaserverPart[];
  readonly #supervisor: ServerSupervisor | undefined;
  readonly #clock: Clock;

  constructor(metaservers: readonly MetaserverPart[], supervisor: ServerSupervisor | undefined, clock: Clock) {
    this.#metaservers = metaservers;
    this.#supervisor = supervisor;
    this.#clock = clock;
  }

  has(server: string): boolean {
    return this.#metaservers.some(({ name }) => name === server);
  }

  async terminate(server: string): Promise<void> {
    await this.#supervisorOf(server).terminate(server);
  }

  /** Resolves when the new process runs; `untilBack` waits for its group. */
  async restart(server: string, blank: boolean): Promise<void> {
    const supervisor = this.#supervisorOf(server);
    if (blank) await this.#requireOthers(server);
    await supervisor.restart(server, blank);
  }

  /**
   * Resolves when the server is a voter that has applied what was committed when its leader was first asked. Where too few are
   * there to have a leader, it is enough that it is one of the voters.
   * @throws ServiceError FAILED after `limitMs`
   */
  async untilBack(server: string, limitMs: number): Promise<void> {
    // A lone one serves as soon as its process says that it runs.
    if (this.#metaservers.length === 1) return;
    const endMs = this.#clock.monotonicMs() + limitMs;
    let committed: number | null = null;
    for (;;) {
      const statuses = await this.#statuses();
      const leader = statuses.find(({ isServing }) => isServing);
      committed ??= leader?.committedIndex ?? null;
      const own = statuses.find(({ name }) => name === server);
      if (own?.isVoter === true && own.state === 'up' && !isCatchingUp(own)) {
        const { up, needed } = metaserverMajority(statuses);
        if (committed === null ? up.length < needed : own.appliedIndex >= committed) return;
      }
      if (this.#clock.monotonicMs() >= endMs) {
        const reason =
          own?.reason || `it is a ${own?.role} that has ${own?.appliedIndex} of ${committed ?? '?'} entries`;
        throw new ServiceError('FAILED', `${server} runs, and does not take part again: ${reason}`);
      }
      await sleep(this.#clock, POLL_MS);
    }
  }

  #supervisorOf(server: string): ServerSupervisor {
    if (this.#supervisor !== undefined) return this.#supervisor;
    throw new ServiceError('FAILED', `nobody supervises ${server} here: end and start it on its host`);
  }

  async #statuses(): Promise<MetaserverStatus[]> {
    return metaserverStatuses(this.#metaservers, await askGroup(this.#metaservers));
  }

  /** What is to be wiped must not be needed: all that is committed is on the others, and they let it in again. */
  async #requireOthers(server: string): Promise<void> {
    if (this.#metaservers.length === 1) {
      throw new ServiceError('REFUSED', `${server} is the only metaserver: with its store all names would be lost`);
    }
    const { up, needed } = metaserverMajority(await this.#statuses());
    const others = up.filter(({ name }) => name !== server).length;
    if (others >= needed) return;
    throw new ServiceError(
      'REFUSED',
      `${server} is not wiped: ${others} others are there, and ${needed} must be, or names could be lost`,
    );
  }
}
