// Storage in LMDB, opened in its crash-safe mode: a write has reached the disk
// when it answers. On a disk that takes no writes it is opened for reading.
import { Buffer } from 'node:buffer';
import { join } from 'node:path';
import { open, type Transaction } from 'lmdb';
import type { Key, Row } from '../../namespace/view.js';
import { ServiceError } from '../../protocol/errors.js';
import { errorFields } from '../../runtime/caught-errors.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { BaseFactory, BaseStorage, Replacement, Room, StorageView } from '../engine/storage.js';
import type { Changes } from './batch.js';
import { asDiskError, isUnusable } from './lmdb-errors.js';
import { type Database, LmdbRoom, reserveBytesOn } from './lmdb-room.js';

const DATA_FILE = 'data.mdb';
/** The folder of rows that another server is sending. */
const INCOMING = 'incoming';
/**
 * Up to so many changed rows, a write is made on this thread when the disk is quick: measured here, 290 µs against 410 µs by
 * LMDB's own writer thread, with half the processor time, since no thread has to be woken. This wait is on the way of every
 * fsync. More rows, or a slow disk, would stop the event loop for too long.
 */
const MAXIMUM_BLOCKING_ROWS = 256;
const MAXIMUM_BLOCKING_MS = 1;
/** Opens (or makes) the database in `directory`. Fails when it is damaged or of another format. */
export const lmdbEngine: BaseFactory = async (directory, runtime) => {
  await runtime.disk.makeDirectory(directory);
  const { totalBytes } = await runtime.disk.space(directory);
  const storage = new LmdbStorage(directory, runtime, new LmdbRoom(reserveBytesOn(totalBytes)));
  try {
    await storage.open();
  } catch (error) {
    if (!storage.isReadable) throw error;
    runtime.log.error('metadata.opened_for_reading', errorFields(error));
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

class LmdbStorage implements BaseStorage {
  /** null while it is reopened, and after that has failed. */
  #database: Database | null = null;
  /** Not open, or only for reading, or in a state in which LMDB refuses everything: the next write reopens it. */
  #mustOpen = true;
  /** That are open; and who waits for their end. */
  #views = 0;
  #viewsClosed: () => void = () => {};
  /** Moving average of the time that small writes take. */
  #smallWriteMs = 0;

  readonly #directory: string;
  readonly #runtime: Runtime;
  readonly #room: LmdbRoom;

  constructor(directory: string, runtime: Runtime, room: LmdbRoom) {
    this.#directory = directory;
    this.#runtime = runtime;
    this.#room = room;
  }

  /** Opens or reopens the database for writing. When it rejects, `isReadable` tells whether it is open for reading. */
  async open(): Promise<void> {
    const closing = [this.#database?.close(), this.#room.close()];
    this.#database = null;
    // LMDB shares one environment per file within a process, so the broken one must be closed before. Its errors on closing are
    // those that were reported when it broke.
    await Promise.allSettled(closing);
    const { database, isReadOnly } = openDatabase(this.#directory);
    this.#database = database;
    if (isReadOnly) throw Object.assign(new Error('EROFS: the database is open for reading only'), { code: 'EROFS' });
    const { disk } = this.#runtime;
    await disk.syncDirectory(this.#directory);
    this.#room.opened(database, await disk.open(join(this.#directory, DATA_FILE), 'existing'));
    this.#mustOpen = false;
  }

  get isReadable(): boolean {
    return this.#database !== null;
  }

  get(key: Key): Uint8Array | undefined {
    return this.#opened.getBinary(Buffer.from(key, 'latin1'));
  }

  scan(from: Key, to: Key, limit: number): Row[] {
    return scan(this.#opened, from, to, limit);
  }

  async write(changes: Changes): Promise<void> {
    if (this.#mustOpen) await this.open();
    try {
      this.#room.require(this.#opened, changes.size);
      await this.#write(changes);
    } catch (error) {
      const cause = await causeOf(error);
      if (isUnusable(cause)) this.#mustOpen = true;
      throw asDiskError(cause);
    }
  }

  async room(): Promise<Room> {
    const { freeBytes, totalBytes } = await this.#runtime.disk.space(this.#directory);
    return { leftBytes: this.#room.leftBytes(this.#opened, freeBytes), totalBytes, failure: null };
  }

  async checkpoint(): Promise<void> {}

  view(): StorageView {
    const database = this.#opened;
    const transaction = database.useReadTransaction();
    this.#views++;
    return {
      count: (database.getStats() as { entryCount: number }).entryCount,
      get: (key) => database.get(Buffer.from(key, 'latin1'), { transaction }),
      scan: (from, to, limit) => scan(database, from, to, limit, transaction),
      close: () => {
        transaction.done();
        if (--this.#views === 0) this.#viewsClosed();
      },
    };
  }

  async replacement(): Promise<Replacement> {
    const { disk } = this.#runtime;
    const directory = join(this.#directory, INCOMING);
    await disk.remove(directory);
    await disk.makeDirectory(directory);
    const { database } = openDatabase(directory);
    return {
      async add(rows) {
        await database.batch(() => {
          for (const { key, value } of rows) database.put(Buffer.from(key, 'latin1'), value).catch(() => {});
        });
      },
      install: async () => {
        await database.close();
        await this.#replaceFile(join(directory, DATA_FILE));
        await disk.remove(directory);
      },
      async discard() {
        await database.close();
        await disk.remove(directory);
      },
    };
  }

  async close(): Promise<void> {
    await this.#database?.close();
    await this.#room.close();
  }

  get #opened(): Database {
    if (this.#database === null)
      throw new ServiceError('UNREACHABLE', "the metaserver's database is being opened anew");
    return this.#database;
  }

  /** The file of the database is another one, all of it or, after a crash, nothing. */
  async #replaceFile(path: string): Promise<void> {
    if (this.#views > 0) await new Promise<void>((resolve) => (this.#viewsClosed = resolve));
    const closing = [this.#database?.close(), this.#room.close()];
    this.#database = null;
    this.#mustOpen = true;
    await Promise.allSettled(closing);
    await this.#runtime.disk.rename(path, join(this.#directory, DATA_FILE));
    await this.open();
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
}

function scan(database: Database, from: Key, to: Key, limit: number, transaction?: Transaction): Row[] {
  const rows: Row[] = [];
  const range = {
    start: Buffer.from(from, 'latin1'),
    end: Buffer.from(to, 'latin1'),
    ...(Number.isFinite(limit) ? { limit } : {}),
    ...(transaction === undefined ? {} : { transaction }),
  };
  for (const { key, value } of database.getRange(range)) rows.push({ key: key.toString('latin1'), value });
  return rows;
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
