// The folder of segment files: their names, sizes and open handles. The number
// of handles is bounded; the least recently used is closed first. What is in the
// files is not known here.
import { join } from 'node:path';
import { errorFields } from '../../runtime/caught-errors.js';
import type { Disk, DiskFile } from '../../runtime/disk.js';
import { diskTrouble } from '../../runtime/disk-trouble.js';
import type { Log } from '../../runtime/log.js';
import { OrderedByUse } from '../../runtime/ordered-by-use.js';
import { MAXIMUM_OPEN_FILES } from '../limits.js';

const NAME = /^(\d{8})\.log$/;

interface Handle {
  file: DiskFile;
  users: number;
  /** To be closed when its last user is done. */
  dropped: boolean;
}

export class Segments {
  readonly #handles = new OrderedByUse<number, Handle>();
  readonly #sizes = new Map<number, number>();
  #storedBytes = 0;

  readonly #disk: Disk;
  readonly #directory: string;
  readonly #log: Log;
  readonly #maximumOpenFiles: number;

  constructor(disk: Disk, directory: string, log: Log, maximumOpenFiles = MAXIMUM_OPEN_FILES) {
    this.#disk = disk;
    this.#directory = directory;
    this.#log = log;
    this.#maximumOpenFiles = maximumOpenFiles;
  }

  /** Lists the folder. Answers the segments' numbers in order. */
  async load(): Promise<number[]> {
    await this.#disk.makeDirectory(this.#directory);
    const numbers = (await this.#disk.list(this.#directory))
      .map((name) => Number(NAME.exec(name)?.[1] ?? 0))
      .filter((number) => number > 0)
      .sort((a, b) => a - b);
    for (const number of numbers) {
      this.setSize(number, await this.use(number, (file) => file.sizeBytes()));
    }
    return numbers;
  }

  get storedBytes(): number {
    return this.#storedBytes;
  }

  get count(): number {
    return this.#sizes.size;
  }

  has(number: number): boolean {
    return this.#sizes.has(number);
  }

  numbers(): IterableIterator<number> {
    return this.#sizes.keys();
  }

  sizeOf(number: number): number {
    return this.#sizes.get(number) ?? 0;
  }

  setSize(number: number, sizeBytes: number): void {
    this.#storedBytes += sizeBytes - this.sizeOf(number);
    this.#sizes.set(number, sizeBytes);
  }

  /** Makes an empty segment whose name is durable, and opens it for writing. */
  async create(number: number): Promise<DiskFile> {
    const file = await this.#disk.open(this.#path(number), 'create');
    try {
      // There may be bytes of an attempt that failed half-way.
      await file.truncate(0);
      await this.#disk.syncDirectory(this.#directory);
    } catch (error) {
      await file.close();
      throw error;
    }
    this.setSize(number, 0);
    return file;
  }

  /** Opens a descriptor for the writer alone. */
  async openToAppend(number: number): Promise<DiskFile> {
    // The process that made the file may have ended before its name was durable.
    await this.#disk.syncDirectory(this.#directory);
    return this.#disk.open(this.#path(number), 'existing');
  }

  /** Removes a segment durably; reads that are under way finish. */
  async remove(number: number): Promise<void> {
    this.#drop(number);
    this.#storedBytes -= this.sizeOf(number);
    this.#sizes.delete(number);
    await this.#disk.remove(this.#path(number));
    await this.#disk.syncDirectory(this.#directory);
  }

  /** Runs `action` with the segment's file open for reading. Fails with ENOENT when there is no such segment. */
  async use<T>(number: number, action: (file: DiskFile) => Promise<T>): Promise<T> {
    const handle = this.#take(number) ?? (await this.#open(number));
    try {
      return await action(handle.file);
    } finally {
      handle.users--;
      if (handle.dropped && handle.users === 0) await handle.file.close();
    }
  }

  /** The segment's file if it is open already; not to be kept beyond this turn. */
  openedFile(number: number): DiskFile | undefined {
    return this.#handles.use(number)?.file;
  }

  async close(): Promise<void> {
    const closing = [...this.#handles.values()].filter(({ users }) => users === 0).map(({ file }) => file.close());
    for (const number of [...this.#handles.keys()]) this.#forget(number);
    await Promise.all(closing);
  }

  #take(number: number): Handle | undefined {
    const handle = this.#handles.use(number);
    if (handle !== undefined) handle.users++;
    return handle;
  }

  async #open(number: number): Promise<Handle> {
    const file = await this.#openFile(number);
    const other = this.#take(number);
    if (other !== undefined) {
      // Another read opened it meanwhile.
      await file.close();
      return other;
    }
    for (const oldest of this.#handles.keys()) {
      if (this.#handles.size < this.#maximumOpenFiles) break;
      this.#drop(oldest);
    }
    const handle = { file, users: 1, dropped: false };
    this.#handles.set(number, handle);
    return handle;
  }

  /** On a disk that has become read-only the file is opened for reading, so that this replica still votes. */
  async #openFile(number: number): Promise<DiskFile> {
    try {
      return await this.#disk.open(this.#path(number), 'existing');
    } catch (error) {
      if (diskTrouble(error) !== 'read-only') throw error;
      return this.#disk.open(this.#path(number), 'reading');
    }
  }

  #drop(number: number): void {
    const handle = this.#forget(number);
    if (handle === undefined || handle.users > 0) return;
    handle.file.close().catch((error: unknown) => {
      // This descriptor was used for reads only: nothing is lost.
      this.#log.warn('segment.close_failed', { segment: number, ...errorFields(error) });
    });
  }

  #forget(number: number): Handle | undefined {
    const handle = this.#handles.get(number);
    if (handle === undefined) return undefined;
    this.#handles.delete(number);
    handle.dropped = true;
    return handle;
  }

  #path(number: number): string {
    return join(this.#directory, `${String(number).padStart(8, '0')}.log`);
  }
}
