// Locks of mounts that were silent for too long. They are in nobody's way. A
// mount that comes back gets those again that nobody could have noticed the lack
// of, i.e. while nobody else was granted a lock that they exclude, even one that
// was given back since: what such a lock guards may be another by now.
import { excludeEachOther } from '../../protocol/services/lock-table.js';
import type { FileLock } from '../../protocol/services/sessions.js';

/** Mounts whose locks are kept; of those before them, all are lost. */
const MOST_CLIENTS = 1000;

export class LapsedLocks {
  /** By client, those that were silent last at the end. */
  readonly #byClient = new Map<string, FileLock[]>();

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

  /** The client is back: what it may have again, of which nothing is kept from now on. */
  take(client: string): FileLock[] {
    const locks = this.#byClient.get(client) ?? [];
    this.#byClient.delete(client);
    return locks;
  }
}

/** Whether somebody who has these locks may have this one. */
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
