// Inodes that the kernel knows: how often it was given each (until it forgets
// them) and the revision of the attributes it was given last.
import type { Attributes } from '../../protocol/files.js';

export class InodeTable {
  private readonly known = new Map<number, { lookups: number; revision: number }>();

  get size(): number {
    return this.known.size;
  }

  numbers(): Iterable<number> {
    return this.known.keys();
  }

  /** A reply that makes the kernel count one more lookup. */
  entered({ inode, revision }: Attributes): void {
    const entry = this.known.get(inode);
    if (entry === undefined) this.known.set(inode, { lookups: 1, revision });
    else {
      entry.lookups += 1;
      entry.revision = revision;
    }
  }

  told({ inode, revision }: Attributes): void {
    const entry = this.known.get(inode);
    if (entry !== undefined) entry.revision = revision;
  }

  /** True when the kernel may hold attributes that are not these. */
  isOutdated({ inode, revision }: Attributes): boolean {
    const entry = this.known.get(inode);
    return entry !== undefined && entry.revision !== revision;
  }

  /** True when the kernel no longer knows the inode. */
  forget(inode: number, count: number): boolean {
    const entry = this.known.get(inode);
    if (entry === undefined) return false;
    entry.lookups -= count;
    if (entry.lookups > 0) return false;
    this.known.delete(inode);
    return true;
  }
}
