// Which files this mount has open, as the mediator must know it. The mediator
// hears of an open by the open itself, and of last closes later, many in one
// message, since nothing waits for them.
import { assert } from '../../runtime/assert.js';

export class OpenInodes {
  /** Inode → how often it counts: once while it is open here, and once for each open under way. */
  readonly #counts = new Map<number, number>();
  #closed = new Set<number>();

  readonly #hasSession: boolean;

  /** @param hasSession without a session nobody takes what was closed, so it is not kept */
  constructor(hasSession: boolean) {
    this.#hasSession = hasSession;
  }

  /** Those that are open, or being opened. */
  get all(): number[] {
    return [...this.#counts.keys()];
  }

  add(inode: number): void {
    this.#counts.set(inode, (this.#counts.get(inode) ?? 0) + 1);
    this.#closed.delete(inode);
  }

  remove(inode: number): void {
    const left = (this.#counts.get(inode) ?? 0) - 1;
    assert(left >= 0, 'a file is closed that was not open');
    if (left > 0) {
      this.#counts.set(inode, left);
      return;
    }
    this.#counts.delete(inode);
    if (this.#hasSession) this.#closed.add(inode);
  }

  /** What was closed since the last call and is not open or being opened again. */
  takeClosed(): number[] {
    const taken = [...this.#closed];
    this.#closed = new Set();
    return taken;
  }
}
