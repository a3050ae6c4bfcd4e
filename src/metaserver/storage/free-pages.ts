// How many of LMDB's free pages a transaction can use: not those that the last
// two transactions have freed, since readers may still use them.

/** Pages freed by this many last transactions can't be used. */
const UNUSABLE_TRANSACTIONS = 2;

export class FreePages {
  /** For each of the last transactions, the newest at the end: pages that were free before it, and the most that it used. */
  #last: { free: number; used: number }[] = [];

  /** @param free as LMDB counts them now */
  usable(free: number): number {
    const used = this.#last.reduce((sum, write) => sum + write.used, 0);
    return Math.max(0, Math.min(free, ...this.#last.map((write) => write.free)) - used);
  }

  /** A transaction begins that writes at most `pages`. */
  writes(pages: number, free: number): void {
    this.#last = [...this.#last, { free, used: pages }].slice(-UNUSABLE_TRANSACTIONS);
  }
}
