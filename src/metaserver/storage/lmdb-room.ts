// The room that LMDB's file has for further writes: pages that LMDB counts as
// free, and room behind the used pages that is taken before it is needed. A part
// of it is reserved for removals on a full disk, which write new pages too.
import type { Buffer } from 'node:buffer';
import type { RootDatabase } from 'lmdb';
import type { DiskFile } from '../../runtime/disk.js';
import { diskTrouble } from '../../runtime/disk-trouble.js';
import { RoomAhead } from '../../runtime/room-ahead.js';
import { FreePages } from './free-pages.js';

/**
 * Reserved in the file beyond what is used: LMDB writes the pages of what is removed anew, and uses none again of the last two
 * transactions. On a small disk it is an eighth of it, but enough for some writes of a few rows.
 */
const RESERVE_BYTES = 16 * 1024 * 1024;
const LEAST_RESERVE_BYTES = 2 * 1024 * 1024;
const SHARE_OF_SMALL_DISK = 8;
/** Pages that a transaction writes besides its rows' leaf pages: branches above them, and the list of free pages. */
const PAGES_ABOVE_ROWS = 64;
/** LMDB's two meta pages, which belong to no tree. */
const META_PAGES = 2;

/** The reserve on a disk of that size. */
export function reserveBytesOn(totalBytes: number): number {
  return Math.min(RESERVE_BYTES, Math.max(LEAST_RESERVE_BYTES, Math.floor(totalBytes / SHARE_OF_SMALL_DISK)));
}

export type Database = RootDatabase<Uint8Array, Buffer>;

export class LmdbRoom {
  /** null while the database is not open for writing. */
  #ahead: RoomAhead | null = null;
  readonly #freePages = new FreePages();

  readonly #reserveBytes: number;

  constructor(reserveBytes: number) {
    this.#reserveBytes = reserveBytes;
  }

  /** The database was opened for writing; `file` is its data file, closed by `close`. */
  opened(database: Database, file: DiskFile): void {
    this.#ahead = new RoomAhead(file);
    this.#take(this.#ahead, usageOf(database).usedBytes, 0);
  }

  /** Room for changes that take room, beyond the reserve. */
  leftBytes(database: Database, freeBytesOfDisk: number): number {
    const { pageBytes, usedBytes, freePages } = usageOf(database);
    const ownBytes = (this.#ahead?.leftBytes(usedBytes) ?? 0) + this.#freePages.usable(freePages) * pageBytes;
    return freeBytesOfDisk + ownBytes - this.#reserveBytes;
  }

  /** Called before each transaction. Throws ENOSPC before LMDB's own write would fail, which must not happen: see RoomAhead. */
  require(database: Database, rows: number): void {
    const { usedBytes, pageBytes, freePages } = usageOf(database);
    const neededPages = rows + PAGES_ABOVE_ROWS;
    this.#ahead?.probe(usedBytes);
    const aheadBytes = this.#ahead === null ? 0 : this.#take(this.#ahead, usedBytes, neededPages * pageBytes);
    if (aheadBytes + this.#freePages.usable(freePages) * pageBytes < neededPages * pageBytes) {
      throw Object.assign(new Error(`no room for ${rows} rows on a full disk`), { code: 'ENOSPC' });
    }
    this.#freePages.writes(neededPages, freePages);
  }

  async close(): Promise<void> {
    const ahead = this.#ahead;
    this.#ahead = null;
    await ahead?.close();
  }

  /** Takes room in the file before LMDB needs it. Answers how many bytes there are. */
  #take(ahead: RoomAhead, usedBytes: number, neededBytes: number): number {
    const wantedBytes = this.#reserveBytes + neededBytes;
    if (ahead.leftBytes(usedBytes) < wantedBytes / 2) {
      try {
        ahead.take(usedBytes, usedBytes + wantedBytes);
      } catch (error) {
        if (diskTrouble(error) !== 'full') throw error;
      }
    }
    return ahead.leftBytes(usedBytes);
  }
}

function usageOf(database: Database): {
  pageBytes: number;
  usedBytes: number;
  freePages: number;
} {
  const { pageSize, lastPageNumber, root, free } = database.getStats() as Statistics;
  const pages = lastPageNumber + 1;
  return {
    pageBytes: pageSize,
    usedBytes: pages * pageSize,
    freePages: pages - META_PAGES - pagesOf(root) - pagesOf(free),
  };
}

interface Tree {
  treeBranchPageCount: number;
  treeLeafPageCount: number;
  overflowPages: number;
}

interface Statistics {
  pageSize: number;
  lastPageNumber: number;
  root: Tree;
  free: Tree;
}

function pagesOf({ treeBranchPageCount, treeLeafPageCount, overflowPages }: Tree): number {
  return treeBranchPageCount + treeLeafPageCount + overflowPages;
}
