// The index in LMDB, never synced: a crash of the process leaves it whole,
// since the kernel has its pages; after a power cut it is thrown away.
import { Buffer } from 'node:buffer';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import type { Disk } from '../../runtime/disk.js';
import { RoomAhead } from '../../runtime/room-ahead.js';
import type { IndexChange, IndexFactory, IndexRow, IndexStore } from './index-store.js';

const DATA_FILE = 'data.mdb';
/** 0xBEEFC0DE, little-endian: in the first page, behind its header. */
const LMDB_MAGIC = Buffer.from('dec0efbe', 'hex');

/** Opens (or makes) the database in `directory`. Fails when it is damaged or of another format. */
export const lmdbIndex: IndexFactory = async (directory, runtime) => {
  await runtime.disk.makeDirectory(directory);
  await checkMagic(join(directory, DATA_FILE), runtime.disk);
  const database = open<Buffer, Buffer>({
    path: directory,
    keyEncoding: 'binary',
    encoding: 'binary',
    cache: false,
    noSync: true,
    noMetaSync: true,
    // Not useWritemap, though it would save a system call per page: LMDB then aborts in mdb_freelist_save when a page that
    // this very transaction has taken becomes empty (kriszyp/lmdb-js#212), which the last row's removal brings about.
    mapSize: MAP_BYTES,
    // A process that dies must not leave a reader slot that keeps old pages from being used again.
    maxReaders: 16,
  });
  return new LmdbIndex(database, new RoomAhead(await runtime.disk.open(join(directory, DATA_FILE), 'existing')));
};

/** LMDB crashes the process when it opens a file of another format, so the file is checked first. */
async function checkMagic(path: string, disk: Disk): Promise<void> {
  const file = await disk.open(path, 'create');
  try {
    const start = Buffer.alloc(64);
    const bytes = await file.read(start, 0);
    if (bytes > 0 && !start.includes(LMDB_MAGIC)) throw new Error(`${path} is no LMDB file`);
  } finally {
    await file.close();
  }
}

/** The file's size at first, nearly all of it a hole; LMDB doubles it when it is full. Always more than ROOM_BYTES. */
const MAP_BYTES = 64 * 1024 * 1024;
/** Room in the file beyond what is used; taken again when less than half of it is left. */
const ROOM_BYTES = 16 * 1024 * 1024;
/** The part that puts leave for removals on a full disk: these take few new pages, and free more. */
const ROOM_FOR_REMOVALS_BYTES = ROOM_BYTES / 4;
/** Rows that may change between two looks at the room: their pages and those above fit into half of it several times. */
const ROWS_PER_LOOK = 256;

class LmdbIndex implements IndexStore {
  #rowsSinceLook = Number.POSITIVE_INFINITY;

  readonly #database: RootDatabase<Buffer, Buffer>;
  readonly #room: RoomAhead;

  constructor(database: RootDatabase<Buffer, Buffer>, room: RoomAhead) {
    this.#database = database;
    this.#room = room;
  }

  get(key: Buffer): Buffer | undefined {
    return this.#database.getBinary(key);
  }

  range(from: Buffer, to: Buffer, limit: number): IndexRow[] {
    const rows: IndexRow[] = [];
    for (const { key, value } of this.#database.getRange({ start: from, end: to, limit })) rows.push({ key, value });
    return rows;
  }

  // On this thread: a transaction that is not synced takes 25 µs plus 1 µs a row, LMDB's own writer thread 70 µs.
  write(changes: readonly IndexChange[]): void {
    this.#makeRoom(changes);
    this.#database.transactionSync(() => {
      for (const { key, value } of changes) {
        if (value === null) this.#database.removeSync(key);
        else this.#database.putSync(key, value);
      }
    });
  }

  clear(): void {
    this.#rowsSinceLook = ROWS_PER_LOOK;
    this.#makeRoom([]);
    this.#database.clearSync();
  }

  async close(): Promise<void> {
    await this.#database.close();
    await this.#room.close();
  }

  /**
   * Takes room on the disk before the database's pages need it, so that a full disk fails the write here and never within a
   * commit of LMDB. There even removals would fail, since they write new pages too, and with the system's number as code, 28
   * (or 5 when a part fitted), not 'ENOSPC'; measured on a small tmpfs. Throws ENOSPC when the disk is full and the room that
   * was taken before is not enough for these rows.
   */
  #makeRoom(changes: readonly IndexChange[]): void {
    const rows = changes.length;
    this.#rowsSinceLook += rows;
    const { pageSize, lastPageNumber } = this.#database.getStats() as { pageSize: number; lastPageNumber: number };
    const usedBytes = (lastPageNumber + 1) * pageSize;
    this.#room.probe(usedBytes);
    if (this.#rowsSinceLook < ROWS_PER_LOOK) return;
    const leftBytes = () => this.#room.leftBytes(usedBytes);
    const neededBytes = rows * pageSize;
    if (leftBytes() < ROOM_BYTES / 2 + neededBytes) {
      try {
        this.#room.take(usedBytes, usedBytes + ROOM_BYTES + neededBytes);
      } catch (error) {
        const removals = changes.filter(({ value }) => value === null).length;
        const keptBytes = removals >= rows / 2 ? 0 : ROOM_FOR_REMOVALS_BYTES;
        if (leftBytes() < keptBytes + neededBytes) throw error;
        // #rowsSinceLook stays: the next write looks again.
        return;
      }
    }
    this.#rowsSinceLook = 0;
  }
}
