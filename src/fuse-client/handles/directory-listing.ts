// An open directory: its entries are fetched in batches that grow, and handed out
// from any cookie. A batch with attributes is dropped when this mount has changed
// something since it was asked for, or when the kernel might not keep it any longer.
import type { DirectoryEntry, FileService } from '../../protocol/services/files.js';
import { firstAfter } from '../../protocol/values/listing.js';
import type { Clock } from '../../runtime/clock.js';

const FIRST_BATCH_ENTRIES = 128;
const LARGEST_BATCH_ENTRIES = 2048;
const SELF_COOKIE = 1;
const PARENT_COOKIE = 2;

export interface ListingDependencies {
  files: FileService;
  clock: Clock;
  attributeTimeoutMs: number;
  /** Grows with every change made through this mount. */
  changes(): number;
}

interface Batch {
  /** The cookie it follows. */
  after: number;
  entries: DirectoryEntry[];
  done: boolean;
  withAttributes: boolean;
  changesBefore: number;
  fetchedAtMs: number;
}

export class DirectoryListing {
  #batch: Batch | undefined;
  #parent: number | undefined;
  #limit = FIRST_BATCH_ENTRIES;

  readonly #dependencies: ListingDependencies;

  constructor(
    readonly inode: number,
    dependencies: ListingDependencies,
  ) {
    this.#dependencies = dependencies;
  }

  /** Up to `most` entries after `cookie`, none only at the end; `.` and `..` come first and have no attributes. */
  async after(cookie: number, withAttributes: boolean, most: number): Promise<DirectoryEntry[]> {
    const stored = await this.#storedAfter(cookie <= PARENT_COOKIE ? 0 : cookie, withAttributes, most);
    if (cookie >= PARENT_COOKIE) return stored;
    const dots: DirectoryEntry[] = [
      { name: '.', inode: this.inode, kind: 'directory', cookie: SELF_COOKIE },
      { name: '..', inode: this.#parent ?? this.inode, kind: 'directory', cookie: PARENT_COOKIE },
    ];
    return [...dots.slice(cookie), ...stored];
  }

  async #storedAfter(cookie: number, withAttributes: boolean, most: number): Promise<DirectoryEntry[]> {
    const kept = this.#fromBatch(cookie, withAttributes, most);
    if (kept !== undefined) return kept;
    const { files, clock, changes } = this.#dependencies;
    const changesBefore = changes();
    const { entries, done, parent } = await files.readdir({
      inode: this.inode,
      cookie,
      limit: this.#limit,
      attributes: withAttributes,
    });
    this.#parent = parent;
    this.#limit = Math.min(this.#limit * 4, LARGEST_BATCH_ENTRIES);
    this.#batch = { after: cookie, entries, done, withAttributes, changesBefore, fetchedAtMs: clock.monotonicMs() };
    return entries.slice(0, most);
  }

  /** The rest of the batch after `cookie`; undefined when it does not reach there or is no longer good. */
  #fromBatch(cookie: number, withAttributes: boolean, most: number): DirectoryEntry[] | undefined {
    const batch = this.#batch;
    // A listing from the start sees the directory as it is now (rewinddir).
    if (batch === undefined || cookie === 0 || cookie < batch.after) return undefined;
    if (withAttributes && !this.#attributesAreGood(batch)) return undefined;
    const start = firstAfter(batch.entries, cookie);
    if (start === batch.entries.length && !(batch.done && cookie === batch.entries.at(-1)?.cookie)) return undefined;
    return batch.entries.slice(start, start + most);
  }

  #attributesAreGood(batch: Batch): boolean {
    const { clock, changes, attributeTimeoutMs } = this.#dependencies;
    return (
      batch.withAttributes &&
      batch.changesBefore === changes() &&
      clock.monotonicMs() - batch.fetchedAtMs < attributeTimeoutMs
    );
  }
}
