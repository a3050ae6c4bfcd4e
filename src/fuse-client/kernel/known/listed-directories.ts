// Which directories the kernel has read from their start of late: it may read the
// listings that it keeps of these again. What this mount changes itself, the kernel
// knows; after anything that other mounts change, all are read anew.
import { RecentMap } from '../../../runtime/recent-map.js';

const MAXIMUM_DIRECTORIES = 8192;

export class ListedDirectories {
  readonly #listed = new RecentMap<number, { atMs: number; heard: number }>(MAXIMUM_DIRECTORIES);
  readonly #trustedMs: number;

  /** @param attributeTimeoutMs for how long the kernel believes attributes: those of entries must hold for a while after the last listing */
  constructor(attributeTimeoutMs: number) {
    this.#trustedMs = attributeTimeoutMs / 2;
  }

  get size(): number {
    return this.#listed.size;
  }

  /** @param heard how often changes of other mounts were heard of, before the listing was asked for */
  note(inode: number, atMs: number, heard: number): void {
    this.#listed.set(inode, { atMs, heard });
  }

  mayKeep(inode: number, nowMs: number, heard: number): boolean {
    const listed = this.#listed.get(inode);
    return listed !== undefined && listed.heard === heard && nowMs - listed.atMs < this.#trustedMs;
  }
}
