// Files that programs hold open: opening, reading, writing and closing them,
// above their pending state. What close or fsync answered for is stored.
import { FileError } from '../../protocol/errors.js';
import { type Attributes, type FileService, MAXIMUM_FILE_BYTES } from '../../protocol/services/files.js';
import { copyOf, lengthOf, NO_PIECES, type Pieces } from '../../protocol/services/pieces.js';
import { giveBack, lend } from '../../protocol/wire/lent.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { KernelCache } from '../cache/kernel-cache.js';
import { type FileHandle, type HandleTable, NO_OWNERS } from '../handles/handle-table.js';
import type { KnownInodes } from '../inodes/known-inodes.js';
import type { AccessTimesMode } from '../mount-settings.js';
import type { FallocateRequest } from '../posix/fallocate.js';
import { checkEnd } from '../posix/limits.js';
import { OpenFlag } from '../posix/open-flags.js';
import { MemoryBudget } from '../write-back/memory-budget.js';
import { covers, layOver, storedLength } from '../write-back/overlay.js';
import {
  throwFailure,
  throwFailureAtClose,
  throwLostLock,
  throwUnseenFailure,
} from '../write-back/unreported-errors.js';
import { WriteBackFile } from '../write-back/write-back-file.js';
import { AccessTimes } from './access-times.js';
import { Privileges } from './privileges.js';

/** One request copies at most so much: its files' locks in the kernel are held as long as it takes. */
const MAXIMUM_COPY_BYTES = 16 * 1024 * 1024;
const COPY_PIECE_BYTES = 1024 * 1024;

/** After so many small files that were read ahead and by nobody else, only some are. */
const MOST_IN_VAIN = 16;
const TRIED_AGAIN_EVERY = 16;
/** The kernel's. */
const PAGE_BYTES = 4096;

/** copy_file_range(2): bytes of one open file over those of another, or of the same. */
export interface CopyRequest {
  source: { handle: number; offset: number };
  target: { handle: number; offset: number };
  length: number;
}

export interface WriteTraits {
  /** Pages of a mapping, not a call of a program: with whatever handle they come, they belong where they are. */
  ofPages?: boolean;
  killPrivileges?: boolean;
}

export class OpenFiles {
  readonly #budget: MemoryBudget;
  readonly #accessTimes: AccessTimes;
  readonly #privileges: Privileges;
  /** Opens in a row whose files nobody has read since. */
  #aheadInVain = 0;
  #opensSkipped = 0;

  readonly #files: FileService;
  readonly #handles: HandleTable;
  readonly #known: KnownInodes;
  readonly #kernelCache: KernelCache;
  readonly #runtime: Runtime;

  constructor(
    files: FileService,
    handles: HandleTable,
    known: KnownInodes,
    kernelCache: KernelCache,
    runtime: Runtime,
    { maximumDirtyBytes, accessTimes = 'noatime' }: { maximumDirtyBytes: number; accessTimes?: AccessTimesMode },
  ) {
    this.#files = files;
    this.#handles = handles;
    this.#known = known;
    this.#kernelCache = kernelCache;
    this.#runtime = runtime;
    this.#accessTimes = new AccessTimes(files, runtime, accessTimes, (attributes) => {
      known.learn(attributes);
      kernelCache.forgetAttributes(attributes.inode);
    });
    this.#privileges = new Privileges(files, known, kernelCache);
    this.#budget = new MemoryBudget(maximumDirtyBytes, () => {
      for (const file of known.openFiles) if (file.isUnsent) void file.flush();
    });
  }

  kept(): Record<string, number> {
    return { dirtyBytes: this.#budget.usedBytes, toldAccessTimes: this.#accessTimes.size };
  }

  get openInodes(): number[] {
    return this.#known.openFiles.map(({ inode }) => inode);
  }

  /** The last name of a file that was named as held is gone: its space goes with the last close, which may have been meanwhile. */
  async orphan(inode: number): Promise<void> {
    const file = this.#known.file(inode);
    if (file !== undefined) file.orphaned = true;
    else await this.#files.release({ inode });
  }

  /** Opens, and cuts when the flags say so, unless `signal` has aborted by then. */
  async open(
    inode: number,
    flags: number,
    killPrivileges: boolean,
    signal: () => AbortSignal,
  ): Promise<{ handle: number; attributes: Attributes }> {
    this.#known.openInodes.add(inode);
    try {
      return await this.#openStored(inode, flags, killPrivileges, signal);
    } finally {
      this.#known.openInodes.remove(inode);
    }
  }

  async #openStored(
    inode: number,
    flags: number,
    killPrivileges: boolean,
    signal: () => AbortSignal,
  ): Promise<{ handle: number; attributes: Attributes }> {
    const truncates = (flags & OpenFlag.TRUNCATE) !== 0;
    const forWriting = truncates || (flags & OpenFlag.ACCESS_MODE) !== OpenFlag.READ_ONLY;
    const attributes = await this.#files.open({ inode, forWriting });
    if (truncates && signal().aborted) throw new FileError('EINTR', 'given up before anything was cut');
    const handle = this.hold(attributes, flags, forWriting);
    const { file } = this.#handles.file(handle);
    if (!forWriting) this.#readAhead(file);
    if (truncates) {
      try {
        // The kernel does it before a write and a change of size, not before an open that cuts.
        if (attributes.extendedAttributes > 0) await this.#privileges.takeCapability(inode);
        await file.truncate(0, 'open');
        if (killPrivileges) await this.#privileges.takeFrom(file);
      } catch (error) {
        await this.release(handle);
        throw error;
      }
      this.#known.noteChange();
    }
    return { handle, attributes: this.#known.current(attributes) };
  }

  /** Registers a handle on a file that the service has opened or made for it. */
  hold(attributes: Attributes, flags: number, writable: boolean): number {
    const { inode } = attributes;
    let file = this.#known.file(inode);
    if (file === undefined) {
      file = new WriteBackFile(inode, this.#known.current(attributes), {
        files: this.#files,
        runtime: this.#runtime,
        budget: this.#budget,
        kernelCache: this.#kernelCache,
        committed: (committed) => this.#known.noteCommit(committed),
      });
      this.#known.opened(file);
    }
    file.over(attributes);
    this.#known.readCache.forget(inode);
    const handle: FileHandle = {
      kind: 'file',
      file,
      writable,
      mappable: (flags & OpenFlag.ACCESS_MODE) === OpenFlag.READ_WRITE,
      appends: (flags & OpenFlag.APPEND) !== 0,
      synchronous: (flags & OpenFlag.DATA_SYNC) !== 0,
      failure: this.#known.unsynced.failureOf(inode),
      isFailureSeen: true,
      unsyncedName: false,
      flushedBefore: false,
      lockOwners: NO_OWNERS,
      lostLock: undefined,
    };
    file.handles.add(handle);
    return this.#handles.add(handle);
  }

  /** Registers a handle on a file that was made for it just now. */
  holdNew(attributes: Attributes, flags: number, writable: boolean): number {
    const number = this.hold(attributes, flags, writable);
    this.#handles.file(number).unsyncedName = true;
    return number;
  }

  /** Registers a handle on a file that was made without a name: it goes with the last close, unless it has got one. */
  holdUnnamed(attributes: Attributes, flags: number, writable: boolean): number {
    const number = this.hold(attributes, flags, writable);
    this.#handles.file(number).file.orphaned = true;
    return number;
  }

  /** The bytes of the range as this mount sees them, lent; fewer only at the end of the file. EINTR when `signal` aborts. */
  async read(handle: number, offset: number, length: number, signal: () => AbortSignal): Promise<Pieces> {
    const open = this.#handles.file(handle);
    throwLostLock(open);
    const { file } = open;
    this.#accessTimes.read(file.attributes);
    // Taken before asking: a batch that is stored meanwhile must be seen in one of both.
    const overlay = file.overlay(offset, offset + length);
    const asked = covers(overlay, offset, length) ? 0 : storedLength(overlay, offset, length);
    if (asked === 0) return layOver(overlay, NO_PIECES, offset, length);
    if (this.#isForCache(file, offset, length)) {
      this.#aheadInVain = 0;
      const cached = await this.#readCached(file, offset, asked);
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

  #isForCache(file: WriteBackFile, offset: number, length: number): boolean {
    const there = Math.min(length, Math.max(0, file.attributes.sizeBytes - offset));
    return this.#known.readCache.takes(there) && !file.isPending && !file.isWritable;
  }

  #readCached(file: WriteBackFile, offset: number, length: number): Promise<Pieces> {
    const { inode, attributes } = file;
    const fetch = (from: number, size: number) => this.#files.read({ inode, offset: from, length: size });
    return this.#known.readCache.read(inode, attributes.revision, offset, length, fetch);
  }

  /** Who opens a small file reads it next, whole pages at a time: the vote is held while the kernel is told of the open. */
  #readAhead(file: WriteBackFile): void {
    const { sizeBytes } = file.attributes;
    const asked = Math.ceil(sizeBytes / PAGE_BYTES) * PAGE_BYTES;
    if (asked === 0 || !this.#known.readCache.takes(asked) || !this.#isForCache(file, 0, asked)) return;
    if (this.#aheadInVain >= MOST_IN_VAIN && this.#opensSkipped++ % TRIED_AGAIN_EVERY !== 0) return;
    this.#aheadInVain++;
    // Who reads meanwhile shares the outcome; after a failure, the next one asks anew.
    this.#readCached(file, 0, asked).catch(() => {});
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
    if (open.synchronous) throwFailure(open);
    else throwUnseenFailure(open);
    await this.#budget.room(data.length, signal);
    if (killPrivileges) await this.#privileges.takeFrom(file);
    // Since it was asked, or through another handle, of which pages know nothing.
    for (const each of ofPages ? file.handles : [open]) throwLostLock(each);
    // Nothing may come between finding the end and writing there.
    const at = open.appends && !ofPages ? this.#appendOffset(file, offset) : offset;
    checkEnd(at + data.length);
    if (open.appends && !ofPages) file.append(data);
    else file.write(at, data);
    this.#known.noteChange();
    if (!open.synchronous) return;
    await file.flush();
    throwFailure(open);
  }

  /**
   * fallocate(2) on what is stored, after everything that was written before. The kernel forgets its pages of a range of zeros.
   */
  async fallocate(
    handle: number,
    { range, zeros, keepsSize }: FallocateRequest,
    killPrivileges: boolean,
  ): Promise<void> {
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
   * copy_file_range(2): what a read answers is written, piece by piece; the caller asks for the rest.
   * @returns the bytes that were copied, fewer than `length` at the end of the source or when `length` is large
   */
  async copy(
    { source, target, length }: CopyRequest,
    killPrivileges: boolean,
    signal: () => AbortSignal,
  ): Promise<number> {
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
    // The kernel drops its pages of what it is told was copied; a caller that gave up is told nothing.
    if (signal().aborted) this.#kernelCache.forgetContent(inode);
    return copied;
  }

  /** Where the next data or hole begins; what was written before counts. */
  async seek(handle: number, offset: number, what: 'data' | 'hole'): Promise<number> {
    const open = this.#handles.file(handle);
    throwLostLock(open);
    await open.file.flush();
    if (open.writable) throwUnseenFailure(open);
    return (await this.#files.seek({ inode: open.file.inode, offset, what })).offset;
  }

  /** Cuts or extends a file. Cutting one that is open for writing is buffered, in order with its writes. */
  async resize(inode: number, sizeBytes: number, handle: number | undefined): Promise<boolean> {
    const file = this.#known.file(inode);
    if (file === undefined) return false;
    if (handle !== undefined) throwLostLock(this.#handles.file(handle));
    if (handle === undefined || sizeBytes > file.attributes.sizeBytes) {
      await file.flush();
      return false;
    }
    await file.truncate(sizeBytes, 'request');
    return true;
  }

  /**
   * A close of one descriptor. A shell that runs `echo x > file` duplicates the descriptor and closes the first one right
   * after opening: if that stored the truncation, a crash before the bytes arrive would leave an empty file. So the first
   * close leaves a truncation by O_TRUNC alone; the next close, the release or an fsync stores it, with the bytes by then.
   */
  async flush(handle: number): Promise<void> {
    const open = this.#handles.file(handle);
    const deferred = open.file.isOnlyTruncatedAtOpen && !open.flushedBefore;
    open.flushedBefore = true;
    if (!deferred && open.writable && open.file.isPending) {
      // A commit makes what came before it durable too: the name.
      await open.file.flush();
    } else if (open.unsyncedName) {
      await this.#known.unsynced.sync(open.file.inode);
    }
    throwFailureAtClose(open);
    open.unsyncedName = false;
  }

  async fsync(handle: number): Promise<void> {
    const open = this.#handles.file(handle);
    // Side by side: a commit is durable by itself, and names made before are durable when fsync answers.
    await Promise.all([open.file.sync(), this.#known.unsynced.sync(open.file.inode)]);
    throwFailure(open);
  }

  /** The last close of a handle. What is still pending is stored; a failure can only be logged. */
  async release(handle: number): Promise<void> {
    const open = this.#handles.file(handle);
    const { file } = open;
    this.#handles.remove(handle);
    if (open.writable) await file.flush();
    file.handles.delete(open);
    if (open.failure !== undefined && !open.isFailureSeen) {
      this.#runtime.log.error('writeback.lost', { inode: file.inode, error: open.failure.error.message });
    }
    if (file.handles.size > 0 || file.isPending) return;
    this.#known.closed(file.inode);
    // Another mount may have taken the last name.
    if (file.orphaned || file.attributes.links === 0) await this.#files.release({ inode: file.inode });
  }

  /** Stores what is pending of one file, so that what comes after it is not overwritten by it. */
  async settle(inode: number): Promise<void> {
    await this.#known.file(inode)?.flush();
  }

  /**
   * Before the modification time is set: what was written, or stored through a mapping, until now must not set it once more.
   * Of mappings the kernel tells nothing before it sends their pages, so it is made to send them.
   */
  async settleMapped(inode: number): Promise<void> {
    const file = this.#known.file(inode);
    if (file?.isMappable === true) await this.#kernelCache.writeBack(inode);
    await file?.flush();
  }

  /** Stores what is pending of all files; failures are logged. */
  async flushAll(): Promise<void> {
    await Promise.all(this.#known.openFiles.map((file) => file.flush()));
  }

  /** The kernel's idea of the end may be older than ours when another mount wrote: its pages are then wrong too. */
  #appendOffset(file: WriteBackFile, kernelOffset: number): number {
    const { sizeBytes } = file.attributes;
    if (sizeBytes !== kernelOffset) this.#kernelCache.forgetContent(file.inode);
    return sizeBytes;
  }
}
