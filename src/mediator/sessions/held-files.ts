// Files without a name that must not be purged: those that some mount has open,
// and those of which it is not known yet whether one has. Only memory: after a
// restart the mounts say what they hold.

export interface HeldFilesListener {
  /** The last mount has closed a held file. Rejects when it could not be purged. */
  released(inode: number): Promise<void>;
  /** Files that were spared may be purged now, unless they are held. */
  sparingEnded(): void;
}

export class HeldFiles {
  readonly #held = new Set<number>();
  /** Files that may be held before it is known; null: any file. */
  readonly #spared = new Set<{ inodes: readonly number[] | null }>();

  readonly #listener: HeldFilesListener;

  constructor(listener: HeldFilesListener) {
    this.#listener = listener;
  }

  get size(): number {
    return this.#held.size;
  }

  /** A mount has the file open although its last name is gone: it is kept until `release`. */
  hold(inode: number): void {
    this.#held.add(inode);
  }

  /** The last mount has closed it. */
  async release(inode: number): Promise<void> {
    if (this.#held.delete(inode)) await this.#listener.released(inode);
  }

  /**
   * Runs `work`, which makes files without a name or takes away last names, and then says which of them are held. Meanwhile
   * none of these files is purged. @param inodes the files concerned; null when nobody knows
   */
  async sparing<T>(inodes: readonly number[] | null, work: () => Promise<T>): Promise<T> {
    if (inodes?.length === 0) return work();
    const spared = { inodes };
    this.#spared.add(spared);
    try {
      return await work();
    } finally {
      this.#spared.delete(spared);
      this.#listener.sparingEnded();
    }
  }

  mayBePurged(inode: number): boolean {
    if (this.#held.has(inode)) return false;
    for (const { inodes } of this.#spared) if (inodes === null || inodes.includes(inode)) return false;
    return true;
  }
}
