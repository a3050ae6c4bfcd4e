// The attributes of the last commits. A getattr that was asked before a commit
// may be answered after it; without this its older size would be believed.
import type { Attributes } from '../protocol/files.js';
import type { Clock } from '../runtime/clock.js';

/** Longer than any answer is under way. */
const KEPT_MS = 10_000;
const KEPT_ENTRIES = 1024;

export class RecentAttributes {
  private readonly entries = new Map<number, { attributes: Attributes; atMs: number }>();

  constructor(private readonly clock: Clock) {}

  remember(attributes: Attributes): void {
    this.entries.delete(attributes.inode);
    this.entries.set(attributes.inode, { attributes, atMs: this.clock.monotonicMs() });
    if (this.entries.size <= KEPT_ENTRIES) return;
    const [oldest] = this.entries.keys();
    if (oldest !== undefined) this.entries.delete(oldest);
  }

  /** `fetched`, or what is known to be newer. */
  newest(fetched: Attributes): Attributes {
    const entry = this.entries.get(fetched.inode);
    if (entry === undefined) return fetched;
    if (this.clock.monotonicMs() - entry.atMs > KEPT_MS) {
      this.entries.delete(fetched.inode);
      return fetched;
    }
    return entry.attributes.revision > fetched.revision ? entry.attributes : fetched;
  }

  forget(inode: number): void {
    this.entries.delete(inode);
  }
}
