// Which files this mount has open, as its session at the mediator must know
// them. The mediator hears of every open by the open itself; of the last close
// it is told later, together with others, since nothing waits for that.
export class OpenInodes {
  /** Of each, how often: once while it is open here, and once for each open under way. */
  readonly #counts = new Map<number, number>();
  #closed = new Set<number>();

  readonly #isTold: boolean;

  /** @param isTold somebody takes what was closed */
  constructor(isTold: boolean) {
    this.#isTold = isTold;
  }

  /** All of them, those among them whose open is under way. */
  get all(): number[] {
    return [...this.#counts.keys()];
  }

  add(inode: number): void {
    this.#counts.set(inode, (this.#counts.get(inode) ?? 0) + 1);
    this.#closed.delete(inode);
  }

  remove(inode: number): void {
    const left = (this.#counts.get(inode) ?? 0) - 1;
    if (left > 0) {
      this.#counts.set(inode, left);
      return;
    }
    this.#counts.delete(inode);
    if (this.#isTold) this.#closed.add(inode);
  }

  /** What was closed since the last call and is not open or being opened again. */
  takeClosed(): number[] {
    const taken = [...this.#closed];
    this.#closed = new Set();
    return taken;
  }
}
