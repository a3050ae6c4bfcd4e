// The modification times of writes of one file that are under way side by side:
// they may be committed in any order, and the latest time is what must be left.
// It is forgotten when no write of the file is under way any more: a clock may
// have gone back since.

interface Times {
  users: number;
  /** The latest that a commit has carried since the first of them began, also of a write that is over. */
  latestNs: bigint | null;
}

export class WriteTimes {
  readonly #underWay = new Map<number, Times>();

  begun(inode: number): void {
    const times = this.#underWay.get(inode);
    if (times === undefined) this.#underWay.set(inode, { users: 1, latestNs: null });
    else times.users++;
  }

  ended(inode: number): void {
    const times = this.#underWay.get(inode);
    if (times !== undefined && --times.users === 0) this.#underWay.delete(inode);
  }

  /** The time that the commit of a write under way carries, which was made at `timeNs`. */
  ofCommit(inode: number, timeNs: bigint | null): bigint | null {
    const times = this.#underWay.get(inode);
    if (times === undefined || timeNs === null) return timeNs;
    if (times.latestNs === null || timeNs > times.latestNs) times.latestNs = timeNs;
    return times.latestNs;
  }
}
