// Locks on ranges of a file's blocks: writers of the same blocks take turns
// within one mediator, or they would lose the compare-and-set to each other
// again and again.
import { assert } from '../../runtime/assert.js';

interface RangeLock {
  first: number;
  last: number;
  finished: Promise<void>;
}

export class RangeLocks {
  readonly #locks = new Map<number, RangeLock[]>();

  /** Files that are being written. */
  get size(): number {
    return this.#locks.size;
  }

  /**
   * Runs `work` with blocks first … last (inclusive; Infinity: all that follow) of the inode locked. Those that overlap run in the
   * order of the calls.
   */
  async run<T>(inode: number, first: number, last: number, work: () => Promise<T>): Promise<T> {
    assert(first <= last, 'a range of blocks ends before it begins');
    const locks = this.#locks.get(inode) ?? [];
    const earlier = locks.filter((lock) => lock.first <= last && first <= lock.last);
    let finish = () => {};
    const lock: RangeLock = {
      first,
      last,
      finished: new Promise((resolve) => {
        finish = resolve;
      }),
    };
    locks.push(lock);
    this.#locks.set(inode, locks);
    try {
      for (const other of earlier) await other.finished;
      return await work();
    } finally {
      locks.splice(locks.indexOf(lock), 1);
      if (locks.length === 0) this.#locks.delete(inode);
      finish();
    }
  }
}
