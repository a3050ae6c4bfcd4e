// Locks of mounts that were silent for too long. They are in nobody's way. A
// mount that comes back gets a lock again unless somebody was granted one that it
// excludes meanwhile, even one that was given back since: what the lock guards may
// have changed.
import { excludeEachOther } from '../../protocol/services/lock-table.js';
import type { FileLock } from '../../protocol/services/sessions.js';

/** The locks of so many mounts are kept. Beyond that, the mount whose session ended first loses all of its own. */
const MOST_CLIENTS = 1000;

export class LapsedLocks {
  /** By client, in the order in which their sessions ended. */
  readonly #byClient = new Map<string, FileLock[]>();

  /** Mounts whose locks are kept. */
  get size(): number {
    return this.#byClient.size;
  }

  keep(client: string, locks: FileLock[]): void {
    if (locks.length === 0) return;
    this.#byClient.set(client, locks);
    for (const oldest of this.#byClient.keys()) {
      if (this.#byClient.size <= MOST_CLIENTS) break;
      this.#byClient.delete(oldest);
    }
  }

  /** Somebody was granted this lock. */
  granted(lock: FileLock): void {
    for (const [client, locks] of this.#byClient) {
      const left = locks.filter((lapsed) => lapsed.inode !== lock.inode || !excludeEachOther(lapsed, lock));
      if (left.length > 0) this.#byClient.set(client, left);
      else this.#byClient.delete(client);
    }
  }

  /** The client is back: the locks that it may have again. They are not kept here any longer. */
  take(client: string): FileLock[] {
    const locks = this.#byClient.get(client) ?? [];
    this.#byClient.delete(client);
    return locks;
  }
}

/** Whether one of these locks covers this one: of the same owner and kind, at least as strong, over the whole range. */
export function isAmong(lock: FileLock, locks: readonly FileLock[]): boolean {
  return locks.some(
    ({ inode, kind, owner, type, start, end }) =>
      inode === lock.inode &&
      kind === lock.kind &&
      owner === lock.owner &&
      (type === 'write' || type === lock.type) &&
      start <= lock.start &&
      lock.end <= end,
  );
}
