// Files that programs hold open: opening, making, storing and closing them. What
// close or fsync answered for is stored.
import { FileError } from '../../protocol/errors.js';
import type { Attributes, Caller, FileName, FileService } from '../../protocol/services/files.js';
import { dropOldest } from '../../runtime/drop-oldest.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { KernelCache } from '../cache/kernel-cache.js';
import { type FileHandle, type HandleTable, NO_OWNERS } from '../handles/handle-table.js';
import type { KnownInodes } from '../inodes/known-inodes.js';
import { type AskedMode, modeAndUmask } from '../posix/asked-mode.js';
import { checkName } from '../posix/limits.js';
import { bypassesPageCache, OpenFlag } from '../posix/open-flags.js';
import type { MemoryBudget } from '../write-back/memory-budget.js';
import { throwErrorAtClose, throwErrorAtFsync } from '../write-back/unreported-errors.js';
import { WriteBackFile } from '../write-back/write-back-file.js';
import type { CachedReads } from './cached-reads.js';
import type { FileLocks } from './file-locks.js';
import type { Privileges } from './privileges.js';

export interface OpenFilesDependencies {
  files: FileService;
  handles: HandleTable;
  known: KnownInodes;
  locks: FileLocks;
  kernelCache: KernelCache;
  runtime: Runtime;
  budget: MemoryBudget;
  privileges: Privileges;
  cachedReads: CachedReads;
}

export interface Opened {
  handle: number;
  attributes: Attributes;
}

/** Files without a name whose open was refused once, and which have not come again. */
const MOST_REFUSED = 1000;

export class OpenFiles {
  readonly #refused = new Set<number>();
  readonly #files: FileService;
  readonly #handles: HandleTable;
  readonly #known: KnownInodes;
  readonly #locks: FileLocks;
  readonly #kernelCache: KernelCache;
  readonly #runtime: Runtime;
  readonly #budget: MemoryBudget;
  readonly #privileges: Privileges;
  readonly #cachedReads: CachedReads;

  constructor(dependencies: OpenFilesDependencies) {
    this.#files = dependencies.files;
    this.#handles = dependencies.handles;
    this.#known = dependencies.known;
    this.#locks = dependencies.locks;
    this.#kernelCache = dependencies.kernelCache;
    this.#runtime = dependencies.runtime;
    this.#budget = dependencies.budget;
    this.#privileges = dependencies.privileges;
    this.#cachedReads = dependencies.cachedReads;
  }

  /** Opens, and truncates when the flags say so, unless `signal` has aborted by then. */
  async open(
    inode: number,
    flags: number,
    killPrivileges = false,
    signal: () => AbortSignal = neverAborts,
  ): Promise<Opened> {
    this.#known.openInodes.add(inode);
    try {
      return await this.#openStored(inode, flags, killPrivileges, signal);
    } finally {
      this.#known.openInodes.remove(inode);
    }
  }

  /** Makes a file and opens it. */
  async create(
    parent: number,
    name: FileName,
    asked: number | AskedMode,
    flags: number,
    caller: Caller,
  ): Promise<Opened> {
    checkName(name);
    const forWriting = (flags & OpenFlag.ACCESS_MODE) !== OpenFlag.READ_ONLY;
    const exclusive = (flags & OpenFlag.EXCLUSIVE) !== 0;
    const { attributes, created } = await this.#known.noteOutcome(
      this.#files.create({ parent, name, ...modeAndUmask(asked), exclusive, forWriting, caller }),
    );
    // Somebody else made it meanwhile: then O_TRUNC still has to be obeyed.
    if (!created) return this.open(attributes.inode, flags);
    const handle = this.#hold(attributes, flags, forWriting);
    this.#handles.file(handle).unsyncedName = true;
    return { handle, attributes };
  }

  /** open(2) with O_TMPFILE: a file without a name. It goes with the last close, unless a link has given it one. */
  async createUnnamed(parent: number, asked: AskedMode, flags: number, caller: Caller): Promise<Opened> {
    const forWriting = (flags & OpenFlag.ACCESS_MODE) !== OpenFlag.READ_ONLY;
    const { attributes } = await this.#files.createUnnamed({ parent, ...asked, forWriting, caller });
    this.#known.noteChange([attributes]);
    const handle = this.#hold(attributes, flags, forWriting);
    this.#handles.file(handle).file.orphaned = true;
    return { handle, attributes };
  }

  /**
   * A close of one descriptor; `lockOwner` loses its fcntl locks on the file, whatever else happens. A shell that runs
   * `echo x > file` duplicates the descriptor and closes the first one right after opening: if that stored the truncation, a
   * crash before the bytes arrive would leave an empty file. So the first close does not store a truncation by O_TRUNC alone;
   * the next close, the release or an fsync stores it, with the bytes by then.
   */
  async flush(handle: number, lockOwner?: bigint): Promise<void> {
    try {
      await this.#flush(this.#handles.file(handle));
    } finally {
      if (lockOwner !== undefined) await this.#locks.closed(handle, lockOwner);
    }
  }

  async fsync(handle: number): Promise<void> {
    const open = this.#handles.file(handle);
    // Side by side: a commit is durable by itself, and names made before are durable when fsync answers.
    await Promise.all([open.file.sync(), this.#known.unsynced.sync(open.file.inode)]);
    throwErrorAtFsync(open);
  }

  /** The last close of a handle: its locks go, and what is pending is stored; a failure can only be logged. */
  async release(handle: number): Promise<void> {
    try {
      await this.#locks.released(handle);
    } finally {
      await this.#release(handle);
    }
  }

  /** Stores what is pending of all files; failures are logged. */
  async flushAll(): Promise<void> {
    await Promise.all(this.#known.openFiles.map((file) => file.flush()));
  }

  async #openStored(inode: number, flags: number, killPrivileges: boolean, signal: () => AbortSignal): Promise<Opened> {
    const truncates = (flags & OpenFlag.TRUNCATE) !== 0;
    const forWriting = truncates || (flags & OpenFlag.ACCESS_MODE) !== OpenFlag.READ_ONLY;
    const attributes = await this.#files.open({ inode, forWriting });
    if (attributes.links === 0) await this.#refuseOnce(inode);
    if (truncates && signal().aborted) throw new FileError('EINTR', 'given up before anything was cut');
    const handle = this.#hold(attributes, flags, forWriting);
    const { file } = this.#handles.file(handle);
    if (!forWriting) this.#cachedReads.readAhead(file);
    if (truncates) {
      try {
        // The kernel takes it before a write of pages and a change of size, not before an open that truncates.
        await this.#privileges.takeCapability(inode);
        await file.truncate(0, 'open');
        if (killPrivileges) await this.#privileges.takeFrom(file);
      } catch (error) {
        await this.#release(handle);
        throw error;
      }
      this.#known.noteChange();
    }
    return { handle, attributes: this.#known.current(attributes) };
  }

  /**
   * Another mount may have replaced a file without a name since the kernel looked the name up. A path is walked anew then, and an
   * open of /proc/self/fd/N comes a second time.
   */
  async #refuseOnce(inode: number): Promise<void> {
    if (this.#refused.delete(inode)) return;
    dropOldest(this.#refused, MOST_REFUSED - 1);
    this.#refused.add(inode);
    if (this.#known.file(inode) === undefined) await this.#files.release({ inode });
    throw new FileError('ENOENT', `inode ${inode} has no name any more`);
  }

  /** Registers a handle on a file that the service has opened or made for it. */
  #hold(attributes: Attributes, flags: number, writable: boolean): number {
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
    file.update(attributes);
    this.#known.readCache.forget(inode);
    const handle: FileHandle = {
      kind: 'file',
      file,
      writable,
      mappable: (flags & OpenFlag.ACCESS_MODE) === OpenFlag.READ_WRITE,
      appends: (flags & OpenFlag.APPEND) !== 0,
      bypassesPageCache: bypassesPageCache(flags),
      synchronous: (flags & OpenFlag.DATA_SYNC) !== 0,
      unreported: this.#known.unsynced.errorOf(inode),
      isReportedBeforeFsync: true,
      unsyncedName: false,
      flushedBefore: false,
      lockOwners: NO_OWNERS,
      lostLock: undefined,
    };
    file.handles.add(handle);
    return this.#handles.add(handle);
  }

  async #flush(open: FileHandle): Promise<void> {
    const isDeferred = open.file.isOnlyTruncatedByOpen && !open.flushedBefore;
    open.flushedBefore = true;
    if (!isDeferred && open.writable && open.file.isPending) {
      // A commit makes what came before it durable too: the name.
      await open.file.flush();
    } else if (open.unsyncedName) {
      await this.#known.unsynced.sync(open.file.inode);
    }
    throwErrorAtClose(open);
    open.unsyncedName = false;
  }

  async #release(handle: number): Promise<void> {
    const open = this.#handles.file(handle);
    const { file } = open;
    this.#handles.remove(handle);
    if (open.writable) await file.flush();
    file.handles.delete(open);
    if (open.unreported !== undefined && !open.isReportedBeforeFsync) {
      this.#runtime.log.error('writeback.lost', { inode: file.inode, error: open.unreported.error.message });
    }
    if (file.handles.size > 0 || file.isPending) return;
    this.#known.closed(file.inode);
    // Another mount may have taken the last name.
    if (file.orphaned || file.attributes.links === 0) await this.#files.release({ inode: file.inode });
  }
}

const neverAborts = () => new AbortController().signal;
