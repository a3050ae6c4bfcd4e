// Which of the pages that LMDB counts as free a transaction can use: none that
// the last two have freed, since readers may still look at them.

/** A transaction uses no page that one of so many before it has freed. */
const AGE = 2;

export class FreePages {
  /** The last AGE transactions, the newest last: how many pages were free before each, and how many it may have used. */
  #last: { free: number; used: number }[] = [];

  /** @param free as LMDB counts them now */
  usable(free: number): number {
    const used = this.#last.reduce((sum, write) => sum + write.used, 0);
    return Math.max(0, Math.min(free, ...this.#last.map((write) => write.free)) - used);
  }

  /** A transaction begins that writes so many pages at most. */
  writes(pages: number, free: number): void {
    this.#last = [...this.#last, { free, used: pages }].slice(-AGE);
  }
}
