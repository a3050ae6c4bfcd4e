// Keeps writers of the same blocks in order within one mediator, so that they
// do not lose the compare-and-set to each other again and again.

interface Claim {
  first: number;
  last: number;
  finished: Promise<void>;
}

export class RangeLocks {
  readonly #claims = new Map<number, Claim[]>();

  /** Files that are being written. */
  get size(): number {
    return this.#claims.size;
  }

  /**
   * Runs `work` once no earlier claim overlaps blocks first … last (inclusive) of the inode.
   * Claims are served in the order of the calls; Infinity as `last` takes all that follows.
   */
  async run<T>(inode: number, first: number, last: number, work: () => Promise<T>): Promise<T> {
    const claims = this.#claims.get(inode) ?? [];
    const earlier = claims.filter((claim) => claim.first <= last && first <= claim.last);
    let finish = () => {};
    const claim: Claim = {
      first,
      last,
      finished: new Promise((resolve) => {
        finish = resolve;
      }),
    };
    claims.push(claim);
    this.#claims.set(inode, claims);
    try {
      for (const other of earlier) await other.finished;
      return await work();
    } finally {
      claims.splice(claims.indexOf(claim), 1);
      if (claims.length === 0) this.#claims.delete(inode);
      finish();
    }
  }
}
