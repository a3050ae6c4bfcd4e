// What becomes of requests whose program was interrupted by a signal.
import type { Clock } from '../../runtime/clock.js';
import type { Arguments } from './codec/request-types.js';
import type { OpenRequest } from './open-request.js';

/**
 * An interrupted request has this long to end by itself. Many programs get signals all the time and expect no EINTR from a
 * file system. Only a request that hangs is given up, so that its program can be killed.
 */
const INTERRUPT_GRACE_MS = 1000;

/**
 * Requests that can be given up: they change nothing, or what they do goes on by itself. After EINTR the program could not
 * know the outcome of any other, so those are given up only when the program is being killed.
 */
const ABANDONABLE: ReadonlySet<Arguments['kind']> = new Set([
  'lookup',
  'getattr',
  'readlink',
  'open',
  'read',
  'write',
  'copy',
  'statfs',
  'flush',
  'setlk',
  'fsync',
  'fsyncdir',
  'readdir',
  'readdirplus',
  'getxattr',
  'listxattr',
  'seek',
]);

export class Interrupts {
  readonly #openRequests: ReadonlyMap<number, OpenRequest>;
  readonly #clock: Clock;
  readonly #isBeingKilled: (threadId: number) => Promise<boolean>;

  /** @param openRequests by their `unique` */
  constructor(
    openRequests: ReadonlyMap<number, OpenRequest>,
    clock: Clock,
    isBeingKilled: (threadId: number) => Promise<boolean>,
  ) {
    this.#openRequests = openRequests;
    this.#clock = clock;
    this.#isBeingKilled = isBeingKilled;
  }

  interrupt(open: OpenRequest): void {
    if (open.isInterrupted) return;
    open.isInterrupted = true;
    // A program that waits for a lock with an alarm set is to get its EINTR at once.
    this.#giveUpLater(open, open.kind === 'setlk' ? 0 : INTERRUPT_GRACE_MS);
  }

  /** Looks again and again: the kernel reports the first signal only, and the one that kills may be a later one. */
  #giveUpLater(open: OpenRequest, graceMs: number): void {
    const { unique, pid } = open.header;
    const isOpen = () => this.#openRequests.get(unique) === open;
    const look = async () => {
      const givesUp = ABANDONABLE.has(open.kind) || (await this.#isBeingKilled(pid));
      if (!isOpen()) return;
      if (givesUp) open.abandon();
      else this.#giveUpLater(open, INTERRUPT_GRACE_MS);
    };
    this.#clock.after(graceMs, () => {
      if (isOpen()) void look();
    });
  }
}
