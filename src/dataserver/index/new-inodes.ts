// Which files can have no version in the index, since their number is higher than
// all that have one. New files have ever higher numbers, so their first put need
// not look anything up: that took an eighth of its time.
import { versionKey, versionsAfter } from '../format/keys.js';
import type { IndexStore } from './index-store.js';

export class NewInodes {
  /** No version has this inode or a higher one. Infinity: not known. */
  #from = Number.POSITIVE_INFINITY;
  /** The highest inode behind which the index was looked through. */
  #asked = 0;
  /** The highest inode of a change, which may not be in the index yet. */
  #changed = 0;

  /** Whether no version of the inode is, or is about to be, in the index. Looks it up where that may tell about all higher ones. */
  has(inode: number, index: IndexStore): boolean {
    if (inode >= this.#from) return true;
    if (this.#from !== Number.POSITIVE_INFINITY || inode <= this.#asked) return false;
    this.#asked = inode;
    const { to } = versionsAfter(undefined);
    if (index.range(versionKey({ inode, index: 0, version: 0 }), to, 1).length > 0) return false;
    this.#from = Math.max(inode, this.#changed + 1);
    return inode >= this.#from;
  }

  /** A version of the inode is put, or removed. */
  used(inode: number): void {
    this.#changed = Math.max(this.#changed, inode);
    if (inode >= this.#from) this.#from = inode + 1;
  }

  /** The index is empty. */
  cleared(): void {
    this.#from = 0;
  }
}
