// Locks: of one file no two clients have one at a time. Who was away for so
// long that others got his is told, and before that no write of his is taken.
import { FileError, ServiceError } from '../../../src/protocol/errors.js';
import type { FileLock, LockRange } from '../../../src/protocol/services/sessions.js';
import { Contradiction } from '../model/file-history.js';
import type { Client, Ledger } from './ledger.js';

/** The whole file, by a client's only process. */
const WHOLE_FILE: Omit<LockRange, 'inode'> = { kind: 'posix', owner: 1n, start: 0n, end: 0x7fff_ffff_ffff_ffffn };
const PID = 1;
const NEVER_ABORTS = new AbortController().signal;

export class LockRequests {
  readonly #ledger: Ledger;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** Gives up the lock that there is, or locks a file that another has locked, or this one. */
  async act(client: Client, inode: number | undefined): Promise<void> {
    const { random } = this.#ledger.around;
    const [locked] = client.locks.keys();
    if (locked !== undefined) return this.#unlock(client, locked);
    const others = this.#ledger.clients.flatMap(({ locks }) => [...locks.keys()]);
    const wanted = others.length > 0 && random.chance(0.6) ? random.pick(others) : inode;
    if (wanted !== undefined) return this.lock(client, wanted);
  }

  async unlockAll(client: Client): Promise<void> {
    for (const inode of [...client.locks.keys()]) await this.#unlock(client, inode);
  }

  /**
   * A request of the client was answered that it sent at `startedUs`: it knows of all that it had lost by then. A mediator that
   * was started anew does not know who had a lock meanwhile, and gives it back to whoever asks first.
   */
  answered({ name, locks }: Client, startedUs: number): void {
    for (const [inode, { sinceUs, overlappedUs }] of locks) {
      if (overlappedUs === null || startedUs < overlappedUs || this.#ledger.around.mediatorDied(sinceUs)) continue;
      throw new Contradiction(`${name} was not told that another was granted its lock of inode ${inode}`);
    }
  }

  /** The client is told that it has lost these. */
  lost(client: Client | undefined, locks: readonly FileLock[]): void {
    for (const { inode } of locks) {
      const lock = client?.locks.get(inode);
      if (client === undefined || lock === undefined) continue;
      this.#ledger.around.note(`${client.name} hears that its lock of inode ${inode} is lost`);
      client.locks.delete(inode);
      if (this.#mayLose(client, lock.sinceUs)) continue;
      this.#ledger.around.violation(`${client.name} lost its lock of inode ${inode} although it was there`);
    }
  }

  async lock(client: Client, inode: number): Promise<void> {
    const id = this.#ledger.start(client, `locks inode ${inode}`);
    const sinceUs = this.#ledger.around.nowUs();
    const lock = { ...WHOLE_FILE, inode, type: 'write', pid: PID } as const;
    try {
      await client.session.locks.set(lock, false, NEVER_ABORTS);
    } catch (error) {
      this.#failed(id, error);
      return;
    }
    this.#ledger.done(id);
    client.locks.set(inode, { sinceUs, overlappedUs: null });
    this.#compare(client, inode);
  }

  async #unlock(client: Client, inode: number): Promise<void> {
    const id = this.#ledger.start(client, `unlocks inode ${inode}`);
    client.locks.delete(inode);
    try {
      await client.session.locks.set({ ...WHOLE_FILE, inode, type: null, pid: PID }, false, NEVER_ABORTS);
      this.#ledger.done(id);
    } catch (error) {
      this.#failed(id, error);
    }
  }

  #failed(id: number, error: unknown): void {
    if (error instanceof FileError && error.code === 'EAGAIN') {
      this.#ledger.end(id, 'refused: another has a lock');
      this.#ledger.answers.refused++;
    } else if (error instanceof ServiceError) this.#ledger.unknown(id, error);
    else throw error;
  }

  /** Of two who have it one has lost it, and is told next. */
  #compare(client: Client, inode: number): void {
    const { around, clients } = this.#ledger;
    const mine = client.locks.get(inode);
    for (const other of clients) {
      const theirs = other.locks.get(inode);
      if (other === client || mine === undefined || theirs === undefined) continue;
      const mayBeMine = !this.#mayLose(client, mine.sinceUs);
      const mayBeTheirs = !this.#mayLose(other, theirs.sinceUs);
      if (mayBeMine && mayBeTheirs) {
        throw new Contradiction(`${client.name} and ${other.name} both have a lock of inode ${inode}`);
      }
      if (mayBeMine) theirs.overlappedUs = around.nowUs();
      if (mayBeTheirs) mine.overlappedUs = around.nowUs();
    }
  }

  #mayLose({ name }: Client, sinceUs: number): boolean {
    return this.#ledger.around.wasSilent(name, sinceUs) || this.#ledger.around.mediatorDied(sinceUs);
  }
}
