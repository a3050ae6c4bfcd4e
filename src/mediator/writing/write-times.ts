// Modification times of concurrent writes to one file: they may be committed in
// any order, and each commit carries the latest time so far, so that the latest
// remains. Times of finished writes are not compared: a clock may have gone back.
import { assert } from '../../runtime/assert.js';

interface Times {
  users: number;
  /** The latest that one of their commits has carried. */
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
    assert(times !== undefined, 'a write ends that has not begun');
    if (--times.users === 0) this.#underWay.delete(inode);
  }

  /** The time for the commit of a write under way. */
  ofCommit(inode: number, timeNs: bigint | null): bigint | null {
    const times = this.#underWay.get(inode);
    if (times === undefined || timeNs === null) return timeNs;
    if (times.latestNs === null || timeNs > times.latestNs) times.latestNs = timeNs;
    return times.latestNs;
  }
}
