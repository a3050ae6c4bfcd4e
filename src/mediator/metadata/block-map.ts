// A cache of the metaserver's block maps: which version of each block counts, and
// its witness. Every entry can be asked for again, and a map is dropped when a
// newer revision of its file is seen.
import type { Attributes } from '../../protocol/services/files.js';
import type { BlockRange, BlockReference, MetadataService } from '../../protocol/services/metadata.js';
import { RecentMap } from '../../runtime/recent-map.js';

/** Entries that one query fetches at least: 32 MiB of a file with the default block size. */
const QUERY_ENTRIES = 256;
/** Inodes remembered; each holds its entries in a Map. */
const MAXIMUM_INODES = 4096;
/** With more entries, the map of a file is dropped: 32 GiB of a file with the default block size. */
const MAXIMUM_ENTRIES = 262_144;

interface CachedMap {
  attributes: Attributes;
  /** null: a hole. */
  entries: Map<number, BlockReference | null>;
  /** All blocks of the file are among the entries: every other index is a hole. */
  isComplete: boolean;
}

/** A file with all its blocks, in order. */
export interface SmallFile {
  inode: number;
  blocks: readonly BlockReference[];
}

export interface MapView {
  attributes: Attributes;
  /** One per index from `first` on; null for a hole. */
  entries: (BlockReference | null)[];
}

/** A query under way, whose answer may be older than what was heard since it was asked. */
interface Asking {
  /** By inode, the revisions that were heard of and not remembered. */
  heard: Map<number, number>;
  epoch: number;
  turnovers: number;
}

export class BlockMap {
  readonly #metadata: MetadataService;
  readonly #inodes = new RecentMap<number, CachedMap>(MAXIMUM_INODES);
  /** Grows with every `clear`: answers to queries from before are not remembered. */
  #epoch = 0;
  readonly #asking = new Set<Asking>();

  constructor(metadata: MetadataService) {
    this.#metadata = metadata;
  }

  /** The entries first … first + count - 1, with the attributes of the same revision. Fails like the query `blocks`. */
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

  /** Attributes from the cache; undefined when the file is not in it. */
  remembered(inode: number): Attributes | undefined {
    return this.#inodes.get(inode)?.attributes;
  }

  /**
   * Fetches the maps of files of `mostBytes` at most among the next `limit` inodes after `after`. Answers those of which no newer
   * revision is known, and the last inode that was looked at.
   */
  async loadSmall(after: number, limit: number, mostBytes: number): Promise<{ files: SmallFile[]; last: number }> {
    const asking = this.#ask();
    try {
      const request = { after, limit, mostBytes };
      const { files, last } = await this.#metadata.query({ name: 'smallFiles', request });
      const current: SmallFile[] = [];
      for (const { attributes, blocks } of files) {
        const { inode, revision } = attributes;
        const known = this.#inodes.get(inode)?.attributes.revision ?? -1;
        if (known > revision || !this.#isNewest(attributes, asking)) continue;
        if (known < revision) {
          const entries = new Map(blocks.map((block) => [block.index, block]));
          this.#inodes.set(inode, { attributes, entries, isComplete: true });
        }
        current.push({ inode, blocks });
      }
      return { files: current, last };
    } finally {
      this.#asking.delete(asking);
    }
  }

  /** Fetches attributes and the first entries in one round trip, whatever is cached. */
  async refresh(inode: number): Promise<Attributes> {
    return this.#query(inode, 0, QUERY_ENTRIES);
  }

  /** A file was made just now: it has no blocks. */
  created(attributes: Attributes): void {
    this.#inodes.set(attributes.inode, { attributes, entries: new Map(), isComplete: true });
  }

  /** Attributes from any answer: a map with an older revision is dropped. */
  observe(attributes: Attributes): void {
    const { inode, revision } = attributes;
    const cached = this.#inodes.get(inode);
    if (cached === undefined || cached.attributes.revision < revision) this.#drop(inode, revision);
  }

  /** The access time has changed, without a new revision. `attributes` may still have one, from another change. */
  accessed(attributes: Attributes): void {
    this.observe(attributes);
    const cached = this.#inodes.get(attributes.inode);
    if (cached === undefined) this.forget(attributes.inode);
    if (cached === undefined || cached.attributes.revision > attributes.revision) return;
    const { accessTimeNs } = attributes;
    if (accessTimeNs > cached.attributes.accessTimeNs) cached.attributes = { ...cached.attributes, accessTimeNs };
  }

  /**
   * A commit or another change by this mediator has succeeded: `attributes` are its answer, with the revision that it made. For
   * the answer to a retry, whose attributes may be of a later revision, call `forget` instead.
   */
  committed(
    attributes: Attributes,
    truncatedFrom: number | null,
    changes: { index: number; next: BlockReference | null }[],
    hole?: BlockRange,
  ): void {
    const { inode, revision } = attributes;
    const cached = this.#inodes.get(inode);
    // The map includes this commit already.
    if (cached !== undefined && revision <= cached.attributes.revision) return;
    // Nothing is remembered, or another change came between, whose answer is under way or went to another mediator.
    if (cached === undefined || revision !== cached.attributes.revision + 1) {
      this.#drop(inode, revision);
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
    if (cached.entries.size > MAXIMUM_ENTRIES) this.#drop(inode, revision);
  }

  /** Empties the cache: a metaserver that crashed may have gone back to older revisions. */
  clear(): void {
    this.#inodes.clear();
    this.#epoch++;
  }

  /** Also answers to queries under way. */
  forget(inode: number): void {
    this.#drop(inode, Number.POSITIVE_INFINITY);
  }

  /** Its map is not known: older ones than of that revision may be under way. */
  #drop(inode: number, revision: number): void {
    this.#inodes.delete(inode);
    for (const { heard } of this.#asking) heard.set(inode, Math.max(revision, heard.get(inode) ?? 0));
  }

  #ask(): Asking {
    const asking = { heard: new Map<number, number>(), epoch: this.#epoch, turnovers: this.#inodes.turnovers };
    this.#asking.add(asking);
    return asking;
  }

  /** Whether an answer with these attributes may be remembered. */
  #isNewest({ inode, revision }: Attributes, { heard, epoch, turnovers }: Asking): boolean {
    if (epoch !== this.#epoch || turnovers !== this.#inodes.turnovers) return false;
    return revision >= (heard.get(inode) ?? 0);
  }

  #known(inode: number, first: number, count: number): MapView | null {
    const cached = this.#inodes.get(inode);
    if (cached === undefined) return null;
    const entries: (BlockReference | null)[] = [];
    for (let index = first; index < first + count; index++) {
      const entry = cached.entries.get(index);
      if (entry === undefined && !cached.isComplete) return null;
      entries.push(entry ?? null);
    }
    return { attributes: cached.attributes, entries };
  }

  async #query(inode: number, first: number, count: number): Promise<Attributes> {
    const asking = this.#ask();
    try {
      const { attributes, blocks } = await this.#metadata.query({ name: 'blocks', request: { inode, first, count } });
      if (!this.#isNewest(attributes, asking)) return attributes;
      return this.#remember(attributes, blocks, first, count);
    } finally {
      this.#asking.delete(asking);
    }
  }

  /** @returns these attributes, or newer ones */
  #remember(attributes: Attributes, blocks: readonly BlockReference[], first: number, count: number): Attributes {
    const { inode } = attributes;
    let cached = this.#inodes.get(inode);
    if (cached !== undefined && cached.attributes.revision > attributes.revision) return cached.attributes;
    if (
      cached === undefined ||
      cached.attributes.revision < attributes.revision ||
      cached.entries.size > MAXIMUM_ENTRIES
    ) {
      cached = { attributes, entries: new Map(), isComplete: false };
    }
    // Behind the end of the file are no blocks.
    if (first === 0 && count * attributes.blockSizeBytes >= attributes.sizeBytes) cached.isComplete = true;
    else for (let index = first; index < first + count; index++) cached.entries.set(index, null);
    for (const block of blocks) cached.entries.set(block.index, block);
    this.#inodes.set(inode, cached);
    return attributes;
  }
}
