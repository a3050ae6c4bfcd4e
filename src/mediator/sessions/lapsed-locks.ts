// The locks of mounts whose session has expired. They block nobody. A mount that
// comes back gets back those that nobody else can have noticed to be gone: no
// other client was granted a lock that excludes them, not even one that was given
// back since, because what such a lock guards may have changed under it.
import { excludeEachOther, isCovered } from '../../protocol/services/lock-table.js';
import type { FileLock } from '../../protocol/services/sessions.js';
import { dropOldest } from '../../runtime/drop-oldest.js';

/** Mounts whose locks are remembered; those that expired before them lose all. */
const MAXIMUM_CLIENTS = 1000;

export class LapsedLocks {
  /** By client, in the order in which their sessions expired. */
  readonly #byClient = new Map<string, FileLock[]>();

  /** Mounts whose locks are kept. */
  get size(): number {
    return this.#byClient.size;
  }

  keep(client: string, locks: FileLock[]): void {
    if (locks.length === 0) return;
    this.#byClient.set(client, locks);
    dropOldest(this.#byClient, MAXIMUM_CLIENTS);
  }

  /** Some client was granted this lock: lapsed locks that exclude it are lost. */
  granted(lock: FileLock): void {
    for (const [client, locks] of this.#byClient) {
      const left = locks.filter((lapsed) => lapsed.inode !== lock.inode || !excludeEachOther(lapsed, lock));
      if (left.length > 0) this.#byClient.set(client, left);
      else this.#byClient.delete(client);
    }
  }

  /** The client is back: answers the locks that it may have again, and forgets them. */
  take(client: string): FileLock[] {
    const locks = this.#byClient.get(client) ?? [];
    this.#byClient.delete(client);
    return locks;
  }
}

/** Whether the owner of these locks holds this one: the whole range, with this type or a stronger one. */
export function isAmong(lock: FileLock, locks: readonly FileLock[]): boolean {
  return isCovered(
    lock,
    locks.filter(({ type }) => type === 'write' || type === lock.type),
  );
}
