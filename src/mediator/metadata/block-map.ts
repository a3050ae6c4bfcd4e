// What the mediator remembers of the block maps: which version of each block
// counts, and its witness. Only a cache: every entry can be asked for again,
// and a revision seen elsewhere throws an outdated one away.

import type { Attributes } from '../../protocol/services/files.js';
import type { BlockRange, BlockReference, MetadataService } from '../../protocol/services/metadata.js';
import { dropOldest } from '../../runtime/drop-oldest.js';

/** Entries that one query asks for ahead of need: 32 MiB of a file with the default block size. */
const QUERY_ENTRIES = 256;
/** Inodes remembered; each holds its entries in a Map. */
const MAXIMUM_INODES = 4096;
/** Entries of one inode beyond which it starts anew: 32 GiB of a file with the default block size. */
const MAXIMUM_ENTRIES = 262_144;

interface CachedMap {
  attributes: Attributes;
  /** null: a hole. */
  entries: Map<number, BlockReference | null>;
  /** All blocks of the file are among the entries: what is missing there is a hole. */
  isWhole: boolean;
}

export interface MapView {
  attributes: Attributes;
  /** One per index from `first` on; null for a hole. */
  entries: (BlockReference | null)[];
}

export class BlockMap {
  readonly #metadata: MetadataService;
  readonly #inodes = new Map<number, CachedMap>();
  /** Grows with every `clear`: answers to questions from before are not remembered. */
  #era = 0;

  constructor(metadata: MetadataService) {
    this.#metadata = metadata;
  }

  /** The entries first … first + count - 1 and the attributes that go with them. Fails like the query `blocks`. */
  async load(inode: number, first: number, count: number): Promise<MapView> {
    for (;;) {
      const cached = this.#known(inode, first, count);
      if (cached !== null) return cached;
      await this.#query(inode, first, Math.max(count, QUERY_ENTRIES));
    }
  }

  /** Files remembered. */
  get size(): number {
    return this.#inodes.size;
  }

  /** Attributes as this mediator knows them; undefined when it does not remember the file. */
  remembered(inode: number): Attributes | undefined {
    return this.#inodes.get(inode)?.attributes;
  }

  /** Fetches attributes and the first entries in one round trip, whatever is remembered. */
  async refresh(inode: number): Promise<Attributes> {
    return this.#query(inode, 0, QUERY_ENTRIES);
  }

  /** A file that was made just now has no blocks. */
  created(attributes: Attributes): void {
    this.#remember(attributes.inode, { attributes, entries: new Map(), isWhole: true });
  }

  /** Attributes that came from anywhere: a newer revision than the remembered one outdates it. */
  observe(attributes: Attributes): void {
    const cached = this.#inodes.get(attributes.inode);
    if (cached !== undefined && cached.attributes.revision < attributes.revision) this.#inodes.delete(attributes.inode);
  }

  /** Its access time has moved, which is no revision: `attributes` may have one that came of another change. */
  accessed(attributes: Attributes): void {
    this.observe(attributes);
    const cached = this.#inodes.get(attributes.inode);
    if (cached === undefined || cached.attributes.revision > attributes.revision) return;
    const { accessTimeNs } = attributes;
    if (accessTimeNs > cached.attributes.accessTimeNs) cached.attributes = { ...cached.attributes, accessTimeNs };
  }

  /**
   * A commit, or another change, of this mediator succeeded: `attributes` are its answer, with the revision that it made. What
   * may be an answer to a repetition, with attributes as they are by now, must be forgotten instead.
   */
  committed(
    attributes: Attributes,
    truncatedFrom: number | null,
    changes: { index: number; next: BlockReference | null }[],
    hole?: BlockRange,
  ): void {
    const cached = this.#inodes.get(attributes.inode);
    if (cached === undefined) return;
    // What is remembered already contains this commit.
    if (attributes.revision <= cached.attributes.revision) return;
    if (attributes.revision !== cached.attributes.revision + 1) {
      // Another change lies between: ours in flight, or another mediator's. Only a query can tell.
      this.#inodes.delete(attributes.inode);
      return;
    }
    cached.attributes = attributes;
    if (truncatedFrom !== null) {
      for (const index of cached.entries.keys()) if (index >= truncatedFrom) cached.entries.set(index, null);
    }
    if (hole !== undefined) {
      for (const index of cached.entries.keys())
        if (index >= hole.first && index < hole.end) cached.entries.set(index, null);
    }
    for (const { index, next } of changes) cached.entries.set(index, next);
    if (cached.entries.size > MAXIMUM_ENTRIES) this.#inodes.delete(attributes.inode);
  }

  /** Forgets everything: a metaserver that crashed may have gone back to older revisions. */
  clear(): void {
    this.#inodes.clear();
    this.#era++;
  }

  forget(inode: number): void {
    this.#inodes.delete(inode);
  }

  #known(inode: number, first: number, count: number): MapView | null {
    const cached = this.#inodes.get(inode);
    if (cached === undefined) return null;
    const entries: (BlockReference | null)[] = [];
    for (let index = first; index < first + count; index++) {
      const entry = cached.entries.get(index);
      if (entry === undefined && !cached.isWhole) return null;
      entries.push(entry ?? null);
    }
    return { attributes: cached.attributes, entries };
  }

  async #query(inode: number, first: number, count: number): Promise<Attributes> {
    const era = this.#era;
    const { attributes, blocks } = await this.#metadata.query({ name: 'blocks', request: { inode, first, count } });
    if (era !== this.#era) return attributes;
    let cached = this.#inodes.get(inode);
    if (cached !== undefined && cached.attributes.revision > attributes.revision) return cached.attributes;
    if (
      cached === undefined ||
      cached.attributes.revision < attributes.revision ||
      cached.entries.size > MAXIMUM_ENTRIES
    ) {
      cached = { attributes, entries: new Map(), isWhole: false };
    }
    // No block stands behind the end of its file.
    if (first === 0 && count * attributes.blockSizeBytes >= attributes.sizeBytes) cached.isWhole = true;
    else for (let index = first; index < first + count; index++) cached.entries.set(index, null);
    for (const block of blocks) cached.entries.set(block.index, block);
    this.#remember(inode, cached);
    return attributes;
  }

  #remember(inode: number, map: CachedMap): void {
    // Deleted first: the entry then counts as the newest.
    this.#inodes.delete(inode);
    this.#inodes.set(inode, map);
    dropOldest(this.#inodes, MAXIMUM_INODES);
  }
}
