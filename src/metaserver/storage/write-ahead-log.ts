// The write-ahead log of the metaserver's database: every write is one record
// of the log, durable after one sync. A commit of the database itself waits for
// the disk twice, and writes whole pages.
//
// The log has two files: while the database is brought up to date with one, the
// other is written. Both have their full size from the start, so that a sync
// need not write an inode.
import { Buffer } from 'node:buffer';
import { join } from 'node:path';
import { assert } from '../../runtime/assert.js';
import { errorFields } from '../../runtime/caught-errors.js';
import type { DiskFile } from '../../runtime/disk.js';
import { Pacer } from '../../runtime/pacer.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { Key } from '../engine/storage.js';
import { type Changes, decodeChanges, encodeLogRecord, firstRecordAfter, leadingRecords } from './log-record.js';

const NAMES = ['commits-1.log', 'commits-2.log'] as const;

export class WriteAheadLog {
  readonly #pacer: Pacer;
  #salt = 0n;
  /** The number of the last write, also when it failed: no number is used twice. */
  #last = 0;
  /** Where the next record goes in the file that is written. */
  #end = 0;

  /** The file that is written, and the other one; null while they can't be used. */
  #files: readonly [DiskFile, DiskFile] | null = null;

  readonly #directory: string;
  readonly #fileBytes: number;
  readonly #runtime: Runtime;

  private constructor(directory: string, fileBytes: number, runtime: Runtime) {
    this.#directory = directory;
    this.#fileBytes = fileBytes;
    this.#runtime = runtime;
    this.#pacer = new Pacer(runtime.clock);
  }

  /**
   * Opens the files in `directory`, which exists, or makes them. On a disk that is full or takes no writes, the log opens without
   * files, and has no room for any record until `prepare` succeeds.
   */
  static async open(directory: string, fileBytes: number, runtime: Runtime): Promise<WriteAheadLog> {
    const log = new WriteAheadLog(directory, fileBytes, runtime);
    await log.prepare();
    return log;
  }

  /** Opens the files if they are not open yet: for a disk that takes writes again. Not to be called while `append` runs. */
  async prepare(): Promise<void> {
    if (this.#files !== null) return;
    try {
      this.#files = await this.#openFiles();
    } catch (error) {
      const fields = { directory: this.#directory, wantedBytes: 2 * this.#fileBytes, ...errorFields(error) };
      this.#runtime.log.warn('metadata.log_unusable', fields);
    }
  }

  /** The number of the last write. */
  get last(): number {
    return this.#last;
  }

  /** Whether it is time for a checkpoint. */
  get isHalfFull(): boolean {
    return this.#end > this.#fileBytes / 2;
  }

  /**
   * The changes of all writes after number `after`, merged, and the number of the last one. A torn write at the end was never
   * acknowledged and is left out. Rejects when a later write is whole behind a torn one: acknowledged writes are damaged then.
   */
  async read(salt: bigint, after: number): Promise<{ changes: Map<Key, Uint8Array | null>; last: number }> {
    const contents = await Promise.all(NAMES.map((name) => this.#contentOf(name)));
    const records = contents.flatMap((content) => leadingRecords(content, salt));
    records.sort((one, other) => one.number - other.number);
    const changes = new Map<Key, Uint8Array | null>();
    let last = after;
    for (const record of records) {
      if (record.number <= last) continue;
      if (record.number !== last + 1) break;
      for (const [key, value] of decodeChanges(record.changes)) changes.set(key, value);
      last = record.number;
    }
    const beyond = contents
      .map((content) => firstRecordAfter(content, salt, last))
      .find((number) => number !== undefined);
    if (beyond !== undefined) {
      throw new Error(
        `${NAMES.join(' and ')} are damaged: write ${beyond} is there, and write ${last + 1} is not. ` +
          `Without these two files the metaserver starts with what its database has, up to write ${after}`,
      );
    }
    return { changes, last };
  }

  /** The database has everything up to write `last`: the log is empty from now on. */
  startOver(salt: bigint, last: number): void {
    this.#salt = salt;
    this.#last = last;
    this.#end = 0;
  }

  /** Writes go to the other file from now on. The database must have everything that is in it. */
  switchLogFile(): void {
    if (this.#files === null) return;
    const [current, other] = this.#files;
    this.#files = [other, current];
    this.#end = 0;
  }

  /** Encodes the record of the next write. Changes nothing. */
  record(changes: Changes): Buffer {
    return encodeLogRecord(this.#last + 1, changes, this.#salt);
  }

  hasRoom(record: Buffer): boolean {
    return this.#files !== null && this.#end + record.length <= this.#fileBytes;
  }

  /** Durable when it resolves. After a rejection nothing may be appended until the database has everything. */
  async append(record: Buffer): Promise<void> {
    assert(this.#files !== null && this.hasRoom(record), 'only what the log has room for is appended');
    const [file] = this.#files;
    const position = this.#end;
    this.#last++;
    this.#end += record.length;
    const { syncNow } = file;
    if (syncNow !== undefined && this.#pacer.isQuick) {
      this.#pacer.runNow(record.length, () => {
        file.writeNow([record], position);
        syncNow.call(file);
      });
    } else {
      await this.#pacer.runPooled(record.length, async () => {
        await file.write([record], position);
        await file.sync();
      });
    }
  }

  async close(): Promise<void> {
    const files = this.#files ?? [];
    this.#files = null;
    for (const file of files) await file.close();
  }

  async #openFiles(): Promise<readonly [DiskFile, DiskFile]> {
    const { disk } = this.#runtime;
    const [first, second] = NAMES.map((name) => join(this.#directory, name)) as [string, string];
    const one = await disk.open(first, 'create');
    try {
      const other = await disk.open(second, 'create');
      try {
        await fillUp(one, this.#fileBytes);
        await fillUp(other, this.#fileBytes);
        await disk.syncDirectory(this.#directory);
        return [one, other];
      } catch (error) {
        await other.close();
        throw error;
      }
    } catch (error) {
      await one.close();
      throw error;
    }
  }

  /** Works on a file that can't be written too. */
  async #contentOf(name: string): Promise<Buffer> {
    const content = await this.#runtime.disk.readFile(join(this.#directory, name));
    return content === undefined ? Buffer.alloc(0) : Buffer.from(content);
  }
}

/** Gives the file its size. When that fails, it has its old size again: the disk's last room is for others. */
async function fillUp(file: DiskFile, sizeBytes: number): Promise<void> {
  const present = await file.sizeBytes();
  if (present >= sizeBytes) return;
  try {
    await file.write([Buffer.alloc(sizeBytes - present)], present);
    await file.sync();
  } catch (error) {
    await file.truncate(present);
    throw error;
  }
}
