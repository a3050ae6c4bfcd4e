// The bytes of open files: reading, writing, copying, making holes and finding
// them. What was written here is seen at once, stored or not.
import { FileError } from '../../protocol/errors.js';
import { type FileService, MAXIMUM_FILE_BYTES } from '../../protocol/services/files.js';
import { copyOf, lengthOf, NO_PIECES, type Pieces } from '../../protocol/values/pieces.js';
import { giveBack, lend } from '../../protocol/wire/lent.js';
import type { KernelCache } from '../cache/kernel-cache.js';
import type { HandleTable } from '../handles/handle-table.js';
import type { KnownInodes } from '../inodes/known-inodes.js';
import { fallocateRequest } from '../posix/fallocate.js';
import { checkEnd } from '../posix/limits.js';
import type { MemoryBudget } from '../write-back/memory-budget.js';
import { covers, layOver, storedLength, touches } from '../write-back/overlay.js';
import { throwErrorAtFsync, throwErrorOnce, throwLostLock } from '../write-back/unreported-errors.js';
import type { WriteBackFile } from '../write-back/write-back-file.js';
import type { AccessTimes } from './access-times.js';
import type { CachedReads } from './cached-reads.js';
import type { Privileges } from './privileges.js';

/** One request copies at most so much: the kernel holds locks of both files as long as it takes. */
const MAXIMUM_COPY_BYTES = 16 * 1024 * 1024;
const COPY_PIECE_BYTES = 1024 * 1024;

/** copy_file_range(2): bytes of one open file over those of another, or of the same. */
export interface CopyRequest {
  source: { handle: number; offset: number };
  target: { handle: number; offset: number };
  length: number;
}

export interface WriteTraits {
  /** Pages of a mapping, not a call of a program: they go where they are, also through a handle with O_APPEND. */
  ofPages?: boolean;
  killPrivileges?: boolean;
}

export interface FileContentDependencies {
  files: FileService;
  handles: HandleTable;
  known: KnownInodes;
  kernelCache: KernelCache;
  budget: MemoryBudget;
  privileges: Privileges;
  accessTimes: AccessTimes;
  cachedReads: CachedReads;
}

export class FileContent {
  readonly #files: FileService;
  readonly #handles: HandleTable;
  readonly #known: KnownInodes;
  readonly #kernelCache: KernelCache;
  readonly #budget: MemoryBudget;
  readonly #privileges: Privileges;
  readonly #accessTimes: AccessTimes;
  readonly #cachedReads: CachedReads;

  constructor(dependencies: FileContentDependencies) {
    this.#files = dependencies.files;
    this.#handles = dependencies.handles;
    this.#known = dependencies.known;
    this.#kernelCache = dependencies.kernelCache;
    this.#budget = dependencies.budget;
    this.#privileges = dependencies.privileges;
    this.#accessTimes = dependencies.accessTimes;
    this.#cachedReads = dependencies.cachedReads;
  }

  /**
   * The bytes of the range as this mount sees them, fewer only at the end of the file. They are lent: the caller gives them
   * back. EINTR when `signal` aborts.
   */
  async read(handle: number, offset: number, length: number, signal: () => AbortSignal): Promise<Pieces> {
    if (offset >= MAXIMUM_FILE_BYTES) return NO_PIECES;
    const open = this.#handles.file(handle);
    throwLostLock(open);
    const { file } = open;
    this.#accessTimes.read(file.attributes);
    // What O_DIRECT shows is what every mount sees, as Linux's own file systems show what is on the disk; once, as they do, since
    // another program may write without end.
    if (open.bypassesPageCache && touches(file.overlay(offset, offset + length))) await file.flush();
    // Taken before the service is asked: a batch that is stored meanwhile must be seen in the overlay or in the answer.
    const overlay = file.overlay(offset, offset + length);
    const asked = covers(overlay, offset, length) ? 0 : storedLength(overlay, offset, length);
    if (asked === 0) return layOver(overlay, NO_PIECES, offset, length);
    if (!open.bypassesPageCache && this.#cachedReads.serves(file, offset, length)) {
      const cached = await this.#cachedReads.read(file, offset, asked);
      throwLostLock(open);
      return cached;
    }
    const reply = await this.#files.read({ inode: file.inode, offset, length: asked }, { signal: signal() });
    if (open.lostLock !== undefined) giveBack(reply);
    throwLostLock(open);
    const seen = layOver(overlay, reply.pieces, offset, length);
    if (seen === reply.pieces) return lend(seen, () => giveBack(reply));
    giveBack(reply);
    return seen;
  }

  /** Takes bytes into the write-back buffer, which owns `data` from now on. */
  async write(
    handle: number,
    offset: number,
    data: Uint8Array,
    { ofPages = false, killPrivileges = false }: WriteTraits,
    signal: () => AbortSignal,
  ): Promise<void> {
    const open = this.#handles.file(handle);
    const { file } = open;
    if (!open.writable) throw new FileError('EBADF', 'not open for writing');
    if (open.synchronous) throwErrorAtFsync(open);
    else throwErrorOnce(open);
    await this.#budget.room(data.length, signal);
    if (killPrivileges) await this.#privileges.takeFrom(file);
    if (open.bypassesPageCache && !ofPages) await this.#privileges.takeCapability(file.inode);
    // A lock may have been lost meanwhile. Pages may have been written under the lock of any handle.
    for (const each of ofPages ? file.handles : [open]) throwLostLock(each);
    // Nothing may come between finding the end and writing there.
    const at = open.appends && !ofPages ? this.#appendOffset(file, offset) : offset;
    checkEnd(at + data.length);
    if (open.appends && !ofPages) file.append(data);
    else file.write(at, data);
    this.#known.noteChange();
    if (!open.synchronous) return;
    await file.flush();
    throwErrorAtFsync(open);
  }

  /**
   * fallocate(2) with one of Linux's modes; posix/fallocate.ts refuses some. Everything that was written before is stored
   * first. The kernel itself forgets its pages of a range of zeros.
   */
  async fallocate(
    handle: number,
    offset: number,
    length: number,
    mode: number,
    killPrivileges: boolean,
  ): Promise<void> {
    const { range, zeros, keepsSize } = fallocateRequest(offset, length, mode);
    const open = this.#handles.file(handle);
    const { file } = open;
    if (!open.writable) throw new FileError('EBADF', 'not open for writing');
    if (killPrivileges) await this.#privileges.takeFrom(file);
    const { inode } = file;
    await file.change(open, range, (modifyTimeNs, limits) =>
      this.#files.fallocate({ inode, ...range, zeros, keepsSize, modifyTimeNs }, limits),
    );
    this.#known.readCache.forget(inode);
  }

  /**
   * copy_file_range(2): writes what a read answers, piece by piece; the caller asks for the rest.
   * @returns the bytes that were copied, fewer than `length` at the end of the source or when `length` is large
   */
  async copy(
    { source, target, length }: CopyRequest,
    killPrivileges: boolean,
    signal: () => AbortSignal,
  ): Promise<number> {
    if (length === 0 || source.offset >= MAXIMUM_FILE_BYTES) return 0;
    const { inode } = this.#handles.file(target.handle).file;
    const end = Math.min(length, MAXIMUM_COPY_BYTES, MAXIMUM_FILE_BYTES - target.offset);
    if (end <= 0) throw new FileError('EFBIG', `files end at ${MAXIMUM_FILE_BYTES} bytes`);
    let copied = 0;
    try {
      while (copied < end) {
        const piece = Math.min(COPY_PIECE_BYTES, end - copied);
        const read = await this.read(source.handle, source.offset + copied, piece, signal);
        if (lengthOf(read) === 0) break;
        // Lent memory, or bytes that are pending elsewhere: the write-back buffer needs its own.
        const data = copyOf(read);
        giveBack(read);
        await this.write(target.handle, target.offset + copied, data, { killPrivileges }, signal);
        copied += data.length;
      }
    } catch (error) {
      if (copied === 0) throw error;
    }
    // The kernel drops its pages of the range that an answer says was copied; after EINTR it has no answer.
    if (signal().aborted) this.#kernelCache.forgetContent(inode);
    return copied;
  }

  /** lseek(2) with SEEK_DATA and SEEK_HOLE. ENXIO from the end of the file on, or when no data follows. */
  async seek(handle: number, offset: number, what: 'data' | 'hole'): Promise<number> {
    if (offset >= MAXIMUM_FILE_BYTES) throw new FileError('ENXIO', `${offset} is behind the end of every file`);
    const open = this.#handles.file(handle);
    throwLostLock(open);
    await open.file.flush();
    if (open.writable) throwErrorOnce(open);
    return (await this.#files.seek({ inode: open.file.inode, offset, what })).offset;
  }

  /** The end of the file. When another mount has written, the kernel believes in an older one, and its pages are old too. */
  #appendOffset(file: WriteBackFile, kernelOffset: number): number {
    const { sizeBytes } = file.attributes;
    if (sizeBytes !== kernelOffset) this.#kernelCache.forgetContent(file.inode);
    return sizeBytes;
  }
}
