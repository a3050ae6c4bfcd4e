// The inodes that the kernel knows, until it forgets them: how often it has looked
// each up, and the revision of the attributes that it has. Of directories all
// attributes, since one may be removed while the kernel still refers to it.
import type { Attributes } from '../../../protocol/services/files.js';

interface Entry {
  lookups: number;
  revision: number;
  /** null: it is no directory. */
  directory: Attributes | null;
}

export class InodeTable {
  readonly #known = new Map<number, Entry>();

  get size(): number {
    return this.#known.size;
  }

  numbers(): Iterable<number> {
    return this.#known.keys();
  }

  /** The kernel gets a reply for which it counts one more lookup. */
  countLookup(attributes: Attributes): void {
    const entry = this.#known.get(attributes.inode);
    if (entry === undefined) {
      this.#known.set(attributes.inode, {
        lookups: 1,
        revision: attributes.revision,
        directory: ifDirectory(attributes),
      });
    } else {
      entry.lookups += 1;
      entry.revision = attributes.revision;
      entry.directory = ifDirectory(attributes);
    }
  }

  /** The kernel gets attributes of an inode that it knows. */
  update(attributes: Attributes): void {
    const entry = this.#known.get(attributes.inode);
    if (entry === undefined) return;
    entry.revision = attributes.revision;
    entry.directory = ifDirectory(attributes);
  }

  /** The attributes that the kernel has of a directory. */
  lastOfDirectory(inode: number): Attributes | undefined {
    return this.#known.get(inode)?.directory ?? undefined;
  }

  /** True when the kernel has other attributes than these. */
  isOutdated({ inode, revision }: Attributes): boolean {
    const entry = this.#known.get(inode);
    return entry !== undefined && entry.revision !== revision;
  }

  /** True when the kernel no longer knows the inode. */
  forget(inode: number, count: number): boolean {
    const entry = this.#known.get(inode);
    if (entry === undefined) return false;
    entry.lookups -= count;
    if (entry.lookups > 0) return false;
    this.#known.delete(inode);
    return true;
  }
}

function ifDirectory(attributes: Attributes): Attributes | null {
  return attributes.kind === 'directory' ? attributes : null;
}
