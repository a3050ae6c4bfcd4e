// The fcntl and flock locks of all sessions. They go with their session; those
// of a session that expired are remembered, for a client that comes back
// (lapsed-locks.ts).
import { FileError } from '../../protocol/errors.js';
import { isCovered, LockTable } from '../../protocol/services/lock-table.js';
import { type FileLock, LONGEST_WAIT_MS, type LockRange } from '../../protocol/services/sessions.js';
import type { Clock, Timer } from '../../runtime/clock.js';
import { isAmong, LapsedLocks } from './lapsed-locks.js';

export class SessionLocks {
  #reclaim: Timer | null = null;
  /** Whoever wants a lock while others may still come for theirs. */
  readonly #early = new Set<() => void>();
  #isReclaimOver: boolean;
  readonly #lapsed = new LapsedLocks();
  readonly #table = new LockTable((lock) => this.#lapsed.granted(lock));
  readonly #clock: Clock;
  readonly #reclaimMs: number;

  /** @param reclaimMs see `begun` */
  constructor(clock: Clock, reclaimMs: number) {
    this.#clock = clock;
    this.#reclaimMs = reclaimMs;
    this.#isReclaimOver = reclaimMs === 0;
  }

  /** Clients whose locks have lapsed. */
  get lapsedClients(): number {
    return this.#lapsed.size;
  }

  /** Files with locks. */
  get size(): number {
    return this.#table.size;
  }

  /** A mount begins a session. Those that had locks from an earlier mediator come for them within `reclaimMs` from the first on. */
  begun(): void {
    if (this.#isReclaimOver) return;
    this.#reclaim ??= this.#clock.after(this.#reclaimMs, () => this.close());
  }

  /** Resolves when the mounts that had locks from an earlier mediator have them again; until then nobody may get new ones. */
  async reclaimed(): Promise<void> {
    if (!this.#isReclaimOver) await new Promise<void>((resolve) => this.#early.add(resolve));
  }

  /** Nobody waits any longer for locks of earlier mediators. */
  close(): void {
    this.#isReclaimOver = true;
    this.#reclaim?.cancel();
    for (const resolve of this.#early) resolve();
    this.#early.clear();
  }

  /** See SessionService.restoreLocks. Returns the locks that are lost. */
  restore(client: string, range: LockRange, locks: readonly FileLock[]): FileLock[] {
    return this.#table.replace(client, range, locks);
  }

  /**
   * A client with a live session says which locks it has, and gets them back in one step; answers those that it has lost. A
   * lock on whose bytes the owner has none now was lost earlier, and the answer that said so did not arrive. If the owner has one
   * of another type there, only the answer to a change did not arrive.
   */
  resume(client: string, locks: readonly FileLock[]): FileLock[] {
    const held = this.#table.heldBy(client);
    const had = locks.filter((lock) => isCovered(lock, held));
    const lost = locks.filter((lock) => !had.includes(lock));
    return [...lost, ...this.#table.replace(client, null, had)];
  }

  /**
   * Gives a client without a session the locks back that it had, as far as that is possible; answers the others, which it
   * has lost. @param isOfThisProcess it had them from this mediator process, which knows who else was granted locks since
   */
  takeOver(client: string, locks: readonly FileLock[], isOfThisProcess: boolean): FileLock[] {
    const lapsed = this.#lapsed.take(client);
    const mayHave = (lock: FileLock) => !isOfThisProcess || isAmong(lock, lapsed);
    return locks.filter((lock) => !mayHave(lock) || this.#table.set(client, lock) !== 'granted');
  }

  conflict(client: string, wanted: FileLock): FileLock | null {
    return this.#table.conflict(client, wanted);
  }

  unset(client: string, range: LockRange): void {
    this.#table.unset(client, range);
  }

  /** Whether the lock was granted, at once. */
  set(client: string, lock: FileLock): boolean {
    return this.#table.set(client, lock) === 'granted';
  }

  /**
   * Whether the lock was granted within LONGEST_WAIT_MS, and before the caller went.
   * @throws FileError EDEADLK
   */
  wait(client: string, lock: FileLock, signal: AbortSignal | undefined): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(LONGEST_WAIT_MS, () => giveUp());
      const clear = (): void => {
        timer.cancel();
        // A mount in this process gives the same signal all its life.
        signal?.removeEventListener('abort', giveUp);
      };
      const { outcome, cancel } = this.#table.wait(client, lock, () => {
        clear();
        resolve(true);
      });
      const giveUp = (): void => {
        clear();
        cancel();
        resolve(false);
      };
      if (outcome === 'conflict') {
        signal?.addEventListener('abort', giveUp);
        return;
      }
      clear();
      if (outcome === 'granted') resolve(true);
      else reject(new FileError('EDEADLK', 'the one who has the lock waits for one of this owner'));
    });
  }

  /** The client has ended its session. */
  drop(client: string): void {
    this.#table.drop(client);
  }

  /** The client's session has expired, and the client may come back. */
  lapse(client: string): void {
    this.#lapsed.keep(client, this.#table.heldBy(client));
    this.#table.drop(client);
  }
}
