// Which files each session has open. A file without a name lives on as long as
// some session has it open (held-files.ts).
import type { HeldFiles } from './held-files.js';

/** The files that one session has open, or had until a short while ago: it tells of a close with its next question. */
export type InodeSet = Set<number>;

export class SessionFiles {
  readonly #sessions = new Set<InodeSet>();
  readonly #held: Pick<HeldFiles, 'hold' | 'release'>;

  constructor(held: Pick<HeldFiles, 'hold' | 'release'>) {
    this.#held = held;
  }

  /** Open files of all sessions; one that several have open counts several times. */
  get size(): number {
    return this.countElsewhere(undefined);
  }

  add(): InodeSet {
    const open: InodeSet = new Set();
    this.#sessions.add(open);
    return open;
  }

  /** The session is over: what only it had open is released. */
  async remove(open: InodeSet): Promise<void> {
    this.#sessions.delete(open);
    for (const inode of open) await this.#releaseUnlessOpen(inode);
  }

  /** A client without a session says what it has open. Some of these files may have lost their names, so all are held. */
  holdAll(inodes: readonly number[]): void {
    for (const inode of inodes) this.#held.hold(inode);
  }

  /** The session has the file open, and its last name goes: it is kept. */
  hold(open: InodeSet | undefined, inode: number): void {
    this.#held.hold(inode);
    open?.add(inode);
  }

  /** The session has closed these; they are released unless another session has them open. */
  async close(open: InodeSet | undefined, inodes: readonly number[]): Promise<void> {
    // All of them at once, before the first release is waited for: removals must not count on them any more.
    for (const inode of inodes) open?.delete(inode);
    for (const inode of inodes) await this.#releaseUnlessOpen(inode);
  }

  /** How many files other sessions have open; one that several have open counts several times. */
  countElsewhere(own: InodeSet | undefined): number {
    let count = 0;
    for (const open of this.#sessions) if (open !== own) count += open.size;
    return count;
  }

  /** Those files. */
  openElsewhere(own: InodeSet | undefined): number[] {
    return [...this.#sessions].flatMap((open) => (open === own ? [] : [...open]));
  }

  isOpenElsewhere(own: InodeSet | undefined, inode: number): boolean {
    for (const open of this.#sessions) if (open !== own && open.has(inode)) return true;
    return false;
  }

  async #releaseUnlessOpen(inode: number): Promise<void> {
    if (!this.isOpenElsewhere(undefined, inode)) await this.#held.release(inode);
  }
}
