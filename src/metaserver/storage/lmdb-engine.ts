// Storage in LMDB, opened in its crash-safe mode: a write has reached the disk
// when it answers. On a disk that takes no writes it is opened for reading.
import { Buffer } from 'node:buffer';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { ServiceError } from '../../protocol/errors.js';
import { diskTrouble } from '../../runtime/disk-trouble.js';
import { RoomAhead } from '../../runtime/room-ahead.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { EngineFactory, Key, Room, Row, Storage } from '../engine/storage.js';
import { FreePages } from './free-pages.js';
import { asDiskError, isUnusable } from './lmdb-errors.js';
import type { Changes } from './log-record.js';

type Database = RootDatabase<Uint8Array, Buffer>;

const DATA_FILE = 'data.mdb';
/**
 * Up to so many changed rows, a write is made on this thread when the disk is quick: measured here, 290 µs against 410 µs by
 * LMDB's own writer thread, with half the processor time, since no thread has to be woken. This wait is on the way of every
 * fsync. More rows, or a slow disk, would stop the event loop for too long.
 */
const MAXIMUM_BLOCKING_ROWS = 256;
const MAXIMUM_BLOCKING_MS = 1;
/**
 * Room in the file beyond what is used, kept for removals on a full disk: LMDB writes the pages of what is removed anew, and
 * uses none again of the last two transactions. On a small disk an eighth of it, but enough for some writes of a few rows.
 */
const ROOM_BYTES = 16 * 1024 * 1024;
const LEAST_ROOM_BYTES = 2 * 1024 * 1024;
const SHARE_OF_SMALL_DISK = 8;
/** Pages that a transaction writes besides its rows' leaf pages: branches above them, and the list of free pages. */
const PAGES_ABOVE_ROWS = 64;
/** LMDB's two meta pages, which belong to no tree. */
const META_PAGES = 2;

/** Opens (or makes) the database in `directory`. Fails when it is damaged or of another format. */
export const lmdbEngine: EngineFactory = async (directory, runtime) => {
  await runtime.disk.makeDirectory(directory);
  const { totalBytes } = await runtime.disk.space(directory);
  const roomBytes = Math.min(ROOM_BYTES, Math.max(LEAST_ROOM_BYTES, Math.floor(totalBytes / SHARE_OF_SMALL_DISK)));
  const storage = new LmdbStorage(directory, runtime, roomBytes);
  try {
    await storage.open();
  } catch (error) {
    if (!storage.isReadable) throw error;
    runtime.log.error('metadata.opened_for_reading', { reason: String(error) });
  }
  return storage;
};

/** Opens it for writing where the disk allows it, else for reading. When neither works, throws why it can't be written. */
function openDatabase(path: string): { database: Database; isReadOnly: boolean } {
  const options = {
    path,
    keyEncoding: 'binary',
    encoding: 'binary',
    cache: false,
    // With overlapping sync a write would resolve before it is on the disk.
    overlappingSync: false,
    // A process that dies must not leave a reader slot that keeps old pages from being used again.
    maxReaders: 16,
    // Every write is a batch already. And with it, a failed batch would reject a second promise that no code can catch.
    eventTurnBatching: false,
  } as const;
  try {
    return { database: open<Uint8Array, Buffer>(options), isReadOnly: false };
  } catch (error) {
    try {
      return { database: open<Uint8Array, Buffer>({ ...options, readOnly: true }), isReadOnly: true };
    } catch {
      throw error;
    }
  }
}

class LmdbStorage implements Storage {
  /** null while it is reopened, and after that has failed. */
  #database: Database | null = null;
  /** Not open, or only for reading, or in a state in which LMDB refuses everything: the next write reopens it. */
  #mustOpen = true;
  #ahead: RoomAhead | null = null;
  readonly #freePages = new FreePages();
  /** Moving average of the time that small writes take. */
  #smallWriteMs = 0;

  readonly #directory: string;
  readonly #runtime: Runtime;
  readonly #roomBytes: number;

  constructor(directory: string, runtime: Runtime, roomBytes: number) {
    this.#directory = directory;
    this.#runtime = runtime;
    this.#roomBytes = roomBytes;
  }

  /** Opens or reopens the database for writing. When it rejects, `isReadable` tells whether it is open for reading. */
  async open(): Promise<void> {
    const closing = [this.#database?.close(), this.#ahead?.close()];
    this.#database = null;
    this.#ahead = null;
    // LMDB shares one environment per file within a process, so the broken one must be closed before. Its errors on closing are
    // those that were reported when it broke.
    await Promise.allSettled(closing);
    const { database, isReadOnly } = openDatabase(this.#directory);
    this.#database = database;
    if (isReadOnly) throw Object.assign(new Error('EROFS: the database is open for reading only'), { code: 'EROFS' });
    const { disk } = this.#runtime;
    await disk.syncDirectory(this.#directory);
    this.#ahead = new RoomAhead(await disk.open(join(this.#directory, DATA_FILE), 'existing'));
    this.#takeRoom(0);
    this.#mustOpen = false;
  }

  get isReadable(): boolean {
    return this.#database !== null;
  }

  get(key: Key): Uint8Array | undefined {
    return this.#opened.getBinary(Buffer.from(key, 'latin1'));
  }

  scan(from: Key, to: Key, limit: number): Row[] {
    const rows: Row[] = [];
    const range = {
      start: Buffer.from(from, 'latin1'),
      end: Buffer.from(to, 'latin1'),
      ...(Number.isFinite(limit) ? { limit } : {}),
    };
    for (const { key, value } of this.#opened.getRange(range)) rows.push({ key: key.toString('latin1'), value });
    return rows;
  }

  async write(changes: Changes): Promise<void> {
    if (this.#mustOpen) await this.open();
    try {
      this.#requireRoom(changes.size);
      await this.#write(changes);
    } catch (error) {
      const cause = await causeOf(error);
      if (isUnusable(cause)) this.#mustOpen = true;
      throw asDiskError(cause);
    }
  }

  async room(): Promise<Room> {
    const { freeBytes, totalBytes } = await this.#runtime.disk.space(this.#directory);
    const { pageBytes, usedBytes, freePages } = this.#usage();
    const mineBytes = (this.#ahead?.leftBytes(usedBytes) ?? 0) + this.#freePages.usable(freePages) * pageBytes;
    return { leftBytes: freeBytes + mineBytes - this.#roomBytes, totalBytes, failure: null };
  }

  async checkpoint(): Promise<void> {}

  async close(): Promise<void> {
    await this.#database?.close();
    await this.#ahead?.close();
  }

  get #opened(): Database {
    if (this.#database === null)
      throw new ServiceError('UNREACHABLE', "the metaserver's database is being opened anew");
    return this.#database;
  }

  async #write(changes: Changes): Promise<void> {
    const database = this.#opened;
    const { clock } = this.#runtime;
    const isSmall = changes.size <= MAXIMUM_BLOCKING_ROWS;
    const startMs = clock.monotonicMs();
    if (isSmall && this.#smallWriteMs < MAXIMUM_BLOCKING_MS) {
      database.transactionSync(() => {
        for (const [key, value] of changes) {
          if (value === null) database.removeSync(Buffer.from(key, 'latin1'));
          else database.putSync(Buffer.from(key, 'latin1'), value);
        }
      });
    } else {
      await database.batch(() => {
        for (const [key, value] of changes) {
          const name = Buffer.from(key, 'latin1');
          // The batch's promise reports a failure; the promises of its changes reject too, and are ignored.
          const change = value === null ? database.remove(name) : database.put(name, value);
          change.catch(() => {});
        }
      });
      // A read in this turn of the event loop may have opened a snapshot from before the write.
      database.resetReadTxn();
    }
    if (isSmall) this.#smallWriteMs = 0.9 * this.#smallWriteMs + 0.1 * (clock.monotonicMs() - startMs);
  }

  /** Throws ENOSPC before LMDB's own write would fail, which must not happen: see RoomAhead. */
  #requireRoom(rows: number): void {
    const { usedBytes, pageBytes, freePages } = this.#usage();
    const neededPages = rows + PAGES_ABOVE_ROWS;
    this.#ahead?.probe(usedBytes);
    const roomBytes = this.#takeRoom(neededPages * pageBytes);
    if (roomBytes + this.#freePages.usable(freePages) * pageBytes < neededPages * pageBytes) {
      throw Object.assign(new Error(`no room for ${rows} rows on a full disk`), { code: 'ENOSPC' });
    }
    this.#freePages.writes(neededPages, freePages);
  }

  /** Takes room in the file before LMDB needs it. Answers how many bytes there are. */
  #takeRoom(neededBytes: number): number {
    const { usedBytes } = this.#usage();
    const wantedBytes = this.#roomBytes + neededBytes;
    const ahead = this.#ahead;
    if (ahead === null) return 0;
    if (ahead.leftBytes(usedBytes) < wantedBytes / 2) {
      try {
        ahead.take(usedBytes, usedBytes + wantedBytes);
      } catch (error) {
        if (diskTrouble(error) !== 'full') throw error;
      }
    }
    return ahead.leftBytes(usedBytes);
  }

  #usage(): { pageBytes: number; usedBytes: number; freePages: number } {
    const { pageSize, lastPageNumber, root, free } = this.#opened.getStats() as Statistics;
    const pages = lastPageNumber + 1;
    return {
      pageBytes: pageSize,
      usedBytes: pages * pageSize,
      freePages: pages - META_PAGES - pagesOf(root) - pagesOf(free),
    };
  }
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

/** LMDB rejects a batch at once, and tells the cause by a second promise. */
async function causeOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error && 'commitError' in error)) return error;
  try {
    await error.commitError;
  } catch (cause) {
    return cause;
  }
  return error;
}
