// The locks of clients on files: fcntl(2) ranges and flock(2), which do not see
// each other. Pure state; whoever waits is called back. The mediator has one
// for all clients, a mount one of what it was granted, so that it can say so
// again to a mediator that has forgotten.
import type { FileLock, LockKind, LockRange, LockType } from './sessions.js';

/** A lock and whose it is, among all clients. */
interface Held extends FileLock {
  client: string;
}

interface Waiter {
  wanted: Held;
  granted: () => void;
}

export type LockOutcome = 'granted' | 'conflict' | 'deadlock';

export class LockTable {
  /** Inode → its locks and those who wait, in the order of asking. */
  readonly #files = new Map<number, { held: Held[]; waiting: Waiter[] }>();

  readonly #granted: (lock: FileLock) => void;

  /** @param granted called with each lock as it is granted */
  constructor(granted: (lock: FileLock) => void = () => {}) {
    this.#granted = granted;
  }

  /** Of the locks in the way of `wanted`, the one that begins first, as fcntl(2) F_GETLK reports it. */
  conflict(client: string, wanted: FileLock): FileLock | null {
    let first: Held | undefined;
    const asked = { ...wanted, client };
    for (const lock of this.#files.get(wanted.inode)?.held ?? []) {
      if (!isInTheWay(lock, asked)) continue;
      if (first === undefined || lock.start < first.start) first = lock;
    }
    if (first === undefined) return null;
    const { client: holder, ...lock } = first;
    // A process of another machine has no number here.
    return holder === client ? lock : { ...lock, pid: 0 };
  }

  /** Grants at once or not at all. */
  set(client: string, wanted: FileLock): LockOutcome {
    const lock = { ...wanted, client };
    if (this.#isBlocked(lock)) return 'conflict';
    this.#place(lock);
    // Turning a write lock into a read lock may let others in.
    this.#serve(lock.inode);
    return 'granted';
  }

  /** Like `set`, but calls `granted` later when others are in the way now. `cancel` ends the waiting. */
  wait(client: string, wanted: FileLock, granted: () => void): { outcome: LockOutcome; cancel(): void } {
    const lock = { ...wanted, client };
    if (this.set(client, wanted) === 'granted') return { outcome: 'granted', cancel() {} };
    if (wanted.kind === 'posix' && this.#wouldDeadlock(lock)) return { outcome: 'deadlock', cancel() {} };
    const waiter: Waiter = { wanted: lock, granted };
    const { waiting } = this.#file(wanted.inode);
    waiting.push(waiter);
    return {
      outcome: 'conflict',
      cancel: () => {
        const position = waiting.indexOf(waiter);
        if (position >= 0) waiting.splice(position, 1);
        this.#tidy(wanted.inode);
      },
    };
  }

  /** Files with locks, held or waited for. */
  get size(): number {
    return this.#files.size;
  }

  /** Takes the owner's locks of that kind away from the range. */
  unset(client: string, range: LockRange): void {
    const file = this.#files.get(range.inode);
    if (file === undefined) return;
    file.held = file.held.flatMap((lock) => (isOf(lock, client, range) ? without(lock, range) : [lock]));
    this.#serve(range.inode);
  }

  /**
   * Gives a client these locks in the place of those that it holds, in one step: nobody who waits is served in between.
   * @param range replaces only what one owner holds there; null: everything of the client
   * @returns the locks that those of others exclude; nothing is left of them in the range
   */
  replace(client: string, range: LockRange | null, locks: readonly FileLock[]): FileLock[] {
    const inodes = range === null ? [...this.#files.keys()] : [range.inode];
    for (const inode of inodes) {
      const file = this.#file(inode);
      file.held = file.held.flatMap((lock) => {
        if (range !== null) return isOf(lock, client, range) ? without(lock, range) : [lock];
        return lock.client === client ? [] : [lock];
      });
    }
    const lost: FileLock[] = [];
    for (const lock of locks) {
      const wanted = { ...lock, client };
      if (this.#isBlocked(wanted)) lost.push(lock);
      else this.#place(wanted);
    }
    for (const inode of inodes) this.#serve(inode);
    return lost;
  }

  /** Everything of a client, held or waited for. */
  drop(client: string): void {
    for (const [inode, file] of [...this.#files]) {
      file.held = file.held.filter((lock) => lock.client !== client);
      for (const waiter of file.waiting.filter(({ wanted }) => wanted.client === client)) {
        file.waiting.splice(file.waiting.indexOf(waiter), 1);
      }
      this.#serve(inode);
    }
  }

  /** What a client holds; with a range, only its owner's locks, each cut to the part in the range. */
  heldBy(client: string, range?: LockRange): FileLock[] {
    const files = range === undefined ? [...this.#files.values()] : [this.#files.get(range.inode)];
    return files
      .flatMap((file) => file?.held ?? [])
      .filter((lock) => (range === undefined ? lock.client === client : isOf(lock, client, range)))
      .flatMap(({ client: _client, ...lock }) => (range === undefined ? [lock] : within(lock, range)));
  }

  #file(inode: number): { held: Held[]; waiting: Waiter[] } {
    let file = this.#files.get(inode);
    if (file === undefined) {
      file = { held: [], waiting: [] };
      this.#files.set(inode, file);
    }
    return file;
  }

  #isBlocked(wanted: Held): boolean {
    return this.#files.get(wanted.inode)?.held.some((lock) => isInTheWay(lock, wanted)) ?? false;
  }

  /** The owner's own locks in the range give way: fcntl(2) changes, splits and joins. */
  #place(lock: Held): void {
    const file = this.#file(lock.inode);
    file.held = file.held.flatMap((other) => (isOf(other, lock.client, lock) ? without(other, lock) : [other]));
    const neighbours = file.held.filter(
      (other) =>
        isOf(other, lock.client, lock) &&
        other.type === lock.type &&
        (other.end + 1n === lock.start || lock.end + 1n === other.start),
    );
    const joined = { ...lock };
    for (const { start, end } of neighbours) {
      if (start < joined.start) joined.start = start;
      if (end > joined.end) joined.end = end;
    }
    file.held = [...file.held.filter((other) => !neighbours.includes(other)), joined];
    this.#granted(lock);
  }

  #serve(inode: number): void {
    const file = this.#files.get(inode);
    if (file === undefined) return;
    for (;;) {
      const waiter = file.waiting.find(({ wanted }) => !this.#isBlocked(wanted));
      if (waiter === undefined) break;
      file.waiting.splice(file.waiting.indexOf(waiter), 1);
      this.#place(waiter.wanted);
      waiter.granted();
    }
    this.#tidy(inode);
  }

  #tidy(inode: number): void {
    const file = this.#files.get(inode);
    if (file !== undefined && file.held.length === 0 && file.waiting.length === 0) this.#files.delete(inode);
  }

  /** Whether somebody in the way waits, at however many removes, for the one who asks. */
  #wouldDeadlock(wanted: Held): boolean {
    const asking = ownerOf(wanted);
    const seen = new Set<string>();
    const waitsFor = (lock: Held): boolean => {
      for (const other of this.#files.get(lock.inode)?.held ?? []) {
        if (!isInTheWay(other, lock)) continue;
        const owner = ownerOf(other);
        if (owner === asking) return true;
        if (seen.has(owner)) continue;
        seen.add(owner);
        if (this.#waitsOf(owner).some(waitsFor)) return true;
      }
      return false;
    };
    return waitsFor(wanted);
  }

  #waitsOf(owner: string): Held[] {
    const found: Held[] = [];
    for (const { waiting } of this.#files.values()) {
      for (const { wanted } of waiting) if (wanted.kind === 'posix' && ownerOf(wanted) === owner) found.push(wanted);
    }
    return found;
  }
}

function ownerOf({ client, owner, kind }: { client: string; owner: bigint; kind: LockKind }): string {
  return `${client}/${kind}/${owner}`;
}

function isOf(lock: Held, client: string, { owner, kind }: { owner: bigint; kind: LockKind }): boolean {
  return lock.client === client && lock.owner === owner && lock.kind === kind;
}

function isInTheWay(lock: Held, wanted: Held): boolean {
  return !isOf(lock, wanted.client, wanted) && excludeEachOther(lock, wanted);
}

/** Whether two owners can't have these locks on one file at once. */
export function excludeEachOther(one: FileLock, other: FileLock): boolean {
  const excludes = (type: LockType) => type === 'write';
  return (
    one.kind === other.kind &&
    (excludes(one.type) || excludes(other.type)) &&
    one.start <= other.end &&
    other.start <= one.end
  );
}

/** Whether these locks, of any type, cover each byte of the range for its owner. */
export function isCovered(range: LockRange, locks: readonly FileLock[]): boolean {
  let left = [range];
  for (const lock of locks) {
    if (lock.inode !== range.inode || lock.kind !== range.kind || lock.owner !== range.owner) continue;
    left = left.flatMap((part) => without(part, lock));
  }
  return left.length === 0;
}

/** The part of a lock inside of a range. */
function within(lock: FileLock, { start, end }: LockRange): FileLock[] {
  if (lock.end < start || end < lock.start) return [];
  return [{ ...lock, start: lock.start < start ? start : lock.start, end: lock.end > end ? end : lock.end }];
}

/** What is left of a lock outside of a range. */
function without<T extends LockRange>(lock: T, { start, end }: LockRange): T[] {
  if (lock.end < start || end < lock.start) return [lock];
  const left: T[] = [];
  if (lock.start < start) left.push({ ...lock, end: start - 1n });
  if (lock.end > end) left.push({ ...lock, start: end + 1n });
  return left;
}
