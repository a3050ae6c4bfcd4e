// The file-system operations, one set behind both bindings: what a request of
// the kernel means in terms of the FileService. Every one fails with FileError
// (or a ServiceError, which programs see as EIO).
import { FileError } from '../../protocol/errors.js';
import type {
  AttributeChanges,
  Attributes,
  Caller,
  Changed,
  DirectoryEntry,
  FileKind,
  FileName,
  FileService,
  FileSystemSpace,
  RenameMode,
} from '../../protocol/services/files.js';
import { MAXIMUM_FILE_BYTES } from '../../protocol/services/files.js';
import { NO_PIECES, type Pieces } from '../../protocol/services/pieces.js';
import { CLIENT_ID_BYTES, RequestIds } from '../../protocol/services/request-ids.js';
import type { CallOptions } from '../../protocol/services/service.js';
import type { SessionService } from '../../protocol/services/sessions.js';
import type { RepeatedCalls } from '../../protocol/wire/repeated-calls.js';
import { randomHex } from '../../runtime/random.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { KernelCache } from '../cache/kernel-cache.js';
import { FileLocks } from '../files/file-locks.js';
import { type CopyRequest, OpenFiles, type WriteTraits } from '../files/open-files.js';
import { withoutPrivileges } from '../files/privileges.js';
import { DirectoryListing } from '../handles/directory-listing.js';
import { HandleTable } from '../handles/handle-table.js';
import { KnownInodes } from '../inodes/known-inodes.js';
import { UnsyncedChanges } from '../inodes/unsynced-changes.js';
import type { AccessTimesMode } from '../mount-settings.js';
import { fallocateRequest } from '../posix/fallocate.js';
import { checkEnd, checkName } from '../posix/limits.js';
import { OpenFlag } from '../posix/open-flags.js';
import { repeatLost } from '../session/lost-requests.js';
import { MountSession, type SessionListener } from '../session/mount-session.js';
import { OpenInodes } from '../session/open-inodes.js';
import { throwFailure, throwLostLock } from '../write-back/unreported-errors.js';
import { ExtendedAttributes } from './extended-attributes.js';

/** Up to so many open files, all are named as held; beyond, the one concerned is looked up first. */
const MOST_HELD_NAMED = 64;

export interface OperationSettings {
  attributeTimeoutMs: number;
  maximumDirtyBytes: number;
  /** Default noatime. */
  accessTimes?: AccessTimesMode;
}

/** What a program asks for. The umask is taken off where no default access control list says otherwise. */
export interface AskedMode {
  mode: number;
  umask?: number;
}

/** What a mount uses of its mediator beside files. */
export interface MediatorConnection {
  /** Without it the kernel keeps the locks, and nothing is heard of other mounts. */
  sessions?: SessionService;
  /** Of the connection to a mediator in another process: what is lost with it is asked again. */
  lost?: RepeatedCalls;
}

export class Operations {
  readonly #handles = new HandleTable();
  readonly extendedAttributes: ExtendedAttributes;
  readonly locks: FileLocks;
  readonly #known: KnownInodes;
  readonly #unsynced: UnsyncedChanges;
  readonly #opened: OpenFiles;
  readonly #session: MountSession | undefined;
  readonly #files: FileService;

  readonly #settings: OperationSettings;
  readonly #runtime: Runtime;

  /** @param mediator how `files` are connected; none: in this process, and this mount is alone */
  constructor(
    service: FileService,
    settings: OperationSettings,
    kernelCache: KernelCache,
    runtime: Runtime,
    { sessions, lost }: MediatorConnection = {},
  ) {
    this.#settings = settings;
    this.#runtime = runtime;
    const openInodes = new OpenInodes(sessions !== undefined);
    const listener: SessionListener = {
      outdated: (items) => this.#known.outdated(items),
      missedChanges: () => this.#known.missedChanges(),
      open: () => openInodes.all,
      takeClosed: () => openInodes.takeClosed(),
      lostLocks: (locks) => this.locks.lost(locks),
    };
    this.#session = sessions === undefined ? undefined : new MountSession(sessions, listener, runtime, lost);
    const files = lost === undefined ? service : this.#repeatLost(service, lost);
    this.#files = files;
    this.#unsynced = new UnsyncedChanges(files, this.#handles, runtime);
    const { attributeTimeoutMs } = settings;
    this.#known = new KnownInodes(files, kernelCache, runtime, openInodes, this.#unsynced, attributeTimeoutMs);
    this.#opened = new OpenFiles(files, this.#handles, this.#known, kernelCache, runtime, settings);
    this.extendedAttributes = new ExtendedAttributes(files, this.#known);
    this.locks = new FileLocks(this.#session, this.#handles, this.#opened, this.#known, runtime);
  }

  /** Before the first operation. */
  async start(): Promise<void> {
    await this.#session?.start();
    await this.#unsynced.start();
  }

  /** After the last operation: stores everything pending and gives up what was held. */
  async end(): Promise<void> {
    await this.flushAll();
    this.#unsynced.end();
    await this.#session?.end();
  }

  /** What is kept in memory, in entries. */
  kept(): Record<string, number> {
    return {
      handles: this.#handles.size,
      ...this.#known.kept(),
      ...this.#unsynced.kept(),
      ...this.#opened.kept(),
      ...this.#session?.kept(),
    };
  }

  async lookup(parent: number, name: FileName): Promise<Attributes> {
    checkName(name);
    // By a file handle: open_by_handle_at(2), or the kernel's NFS server. The number may be of any kind of file.
    if (name === '.') return this.getattr(parent);
    return this.#known.current(await this.#files.lookup({ parent, name }));
  }

  async getattr(inode: number): Promise<Attributes> {
    return this.#known.ofLastChange(inode) ?? this.#known.current(await this.#files.getattr({ inode }));
  }

  /** `handle`: the open file through which the size changes. `killPrivileges`: the caller may not keep set-id bits. */
  async setattr(
    inode: number,
    changes: AttributeChanges,
    caller: Caller,
    { handle, killPrivileges = false }: { handle?: number; killPrivileges?: boolean } = {},
  ): Promise<Attributes> {
    const { sizeBytes, ...others } = changes;
    checkEnd(sizeBytes ?? 0);
    const guard = sizeBytes === undefined ? undefined : this.#known.file(inode)?.guard;
    const limits = guard?.limits;
    const rest: AttributeChanges = { ...others };
    if (rest.mode === undefined && (killPrivileges || rest.uid !== undefined || rest.gid !== undefined)) {
      const { mode, kind } = this.#known.file(inode)?.attributes ?? (await this.getattr(inode));
      const kept = withoutPrivileges(mode);
      if (kind === 'file' && kept !== mode) rest.mode = kept;
    }
    if (sizeBytes !== undefined) {
      const buffered = await this.#opened.resize(inode, sizeBytes, handle);
      if (!buffered) rest.sizeBytes = sizeBytes;
    }
    // Pending bytes carry their own modification time, which must not come after one that is set now.
    if (rest.modifyTimeNs !== undefined) await this.#opened.settleMapped(inode);
    else if (rest.accessTimeNs !== undefined) await this.#opened.settle(inode);
    if (Object.keys(rest).length === 0) {
      this.#known.noteChange();
      return this.#known.file(inode)?.attributes ?? this.getattr(inode);
    }
    if (handle !== undefined) throwLostLock(this.#handles.file(handle));
    const set = (given?: CallOptions) => this.#files.setattr({ inode, changes: rest, caller }, given);
    const changed = await (guard === undefined ? set() : guard.run(set, limits));
    const isWrite = rest.sizeBytes !== undefined && Object.keys(rest).length === 1;
    if (isWrite) this.#known.noteCommit(changed);
    else this.#known.noteChange([changed]);
    return this.#known.current(changed);
  }

  async readlink(inode: number): Promise<string> {
    return (await this.#files.readlink({ inode })).target;
  }

  async symlink(parent: number, name: FileName, target: string, caller: Caller): Promise<Attributes> {
    checkName(name);
    return (await this.#changing(this.#files.symlink({ parent, name, target, caller }))).attributes;
  }

  async mknod(
    parent: number,
    name: FileName,
    node: { kind: FileKind; device: number } & AskedMode,
    caller: Caller,
  ): Promise<Attributes> {
    checkName(name);
    return (await this.#changing(this.#files.mknod({ parent, name, ...node, caller }))).attributes;
  }

  async mkdir(parent: number, name: FileName, asked: number | AskedMode, caller: Caller): Promise<Attributes> {
    checkName(name);
    return (await this.#changing(this.#files.mkdir({ parent, name, ...modeOf(asked), caller }))).attributes;
  }

  async unlink(parent: number, name: FileName): Promise<void> {
    const held = await this.#heldUnder(parent, name);
    const { inode, links } = await this.#changing(this.#files.unlink({ parent, name, held }));
    if (links > 0) return;
    if (held.includes(inode)) await this.#opened.orphan(inode);
    else this.#known.forget(inode);
  }

  async rmdir(parent: number, name: FileName): Promise<void> {
    const { inode } = await this.#changing(this.#files.rmdir({ parent, name }));
    this.#known.forget(inode);
  }

  /** `whiteout`: the owner of the character device 0:0 that takes the place of the name. */
  async rename(
    parent: number,
    name: FileName,
    newParent: number,
    newName: FileName,
    mode: RenameMode,
    whiteout?: Caller,
  ): Promise<void> {
    checkName(newName);
    const held = mode === 'replace' ? await this.#heldUnder(newParent, newName) : [];
    const request = { parent, name, newParent, newName, mode, held };
    const asked = whiteout === undefined ? request : { ...request, whiteout };
    const { replaced } = await this.#changing(this.#files.rename(asked));
    if (replaced === undefined) return;
    this.#known.forget(replaced);
    if (!held.includes(replaced)) return;
    // The answer does not say whether other names are left.
    const { links } = await this.#files.getattr({ inode: replaced });
    if (links === 0) await this.#opened.orphan(replaced);
  }

  async link(inode: number, parent: number, name: FileName): Promise<Attributes> {
    checkName(name);
    return this.#known.current((await this.#changing(this.#files.link({ inode, parent, name }))).attributes);
  }

  /** `signal` keeps an open that was given up from cutting the file. */
  open(
    inode: number,
    flags: number,
    killPrivileges = false,
    signal: () => AbortSignal = neverAborts,
  ): Promise<{ handle: number; attributes: Attributes }> {
    return this.#opened.open(inode, flags, killPrivileges, signal);
  }

  async create(
    parent: number,
    name: FileName,
    asked: number | AskedMode,
    flags: number,
    caller: Caller,
  ): Promise<{ handle: number; attributes: Attributes }> {
    checkName(name);
    const forWriting = (flags & OpenFlag.ACCESS_MODE) !== OpenFlag.READ_ONLY;
    const exclusive = (flags & OpenFlag.EXCLUSIVE) !== 0;
    const { attributes, created } = await this.#changing(
      this.#files.create({ parent, name, ...modeOf(asked), exclusive, forWriting, caller }),
    );
    // Somebody else made it meanwhile: then O_TRUNC still has to be obeyed.
    if (!created) return this.#opened.open(attributes.inode, flags, false, neverAborts);
    return { handle: this.#opened.holdNew(attributes, flags, forWriting), attributes };
  }

  /** open(2) with O_TMPFILE: a file without a name, which `link` may give one. */
  async createUnnamed(
    parent: number,
    asked: AskedMode,
    flags: number,
    caller: Caller,
  ): Promise<{ handle: number; attributes: Attributes }> {
    const forWriting = (flags & OpenFlag.ACCESS_MODE) !== OpenFlag.READ_ONLY;
    const { attributes } = await this.#files.createUnnamed({ parent, ...asked, forWriting, caller });
    this.#known.noteChange([attributes]);
    return { handle: this.#opened.holdUnnamed(attributes, flags, forWriting), attributes };
  }

  /** Lent, to be given back by whoever can. */
  async read(handle: number, offset: number, length: number, signal: () => AbortSignal): Promise<Pieces> {
    if (offset >= MAXIMUM_FILE_BYTES) return NO_PIECES;
    return this.#opened.read(handle, offset, length, signal);
  }

  /** `data` belongs to the write-back buffer from now on. */
  write(
    handle: number,
    offset: number,
    data: Uint8Array,
    traits: WriteTraits,
    signal: () => AbortSignal,
  ): Promise<void> {
    return this.#opened.write(handle, offset, data, traits, signal);
  }

  /** fallocate(2) with one of Linux's modes; see fallocate.ts for those that are refused. */
  async fallocate(
    handle: number,
    offset: number,
    length: number,
    mode: number,
    killPrivileges: boolean,
  ): Promise<void> {
    await this.#opened.fallocate(handle, fallocateRequest(offset, length, mode), killPrivileges);
  }

  /** copy_file_range(2); answers how many bytes were copied, which may be fewer than asked for. */
  async copy(request: CopyRequest, killPrivileges: boolean, signal: () => AbortSignal): Promise<number> {
    if (request.length === 0 || request.source.offset >= MAXIMUM_FILE_BYTES) return 0;
    return this.#opened.copy(request, killPrivileges, signal);
  }

  /** lseek(2) with SEEK_DATA and SEEK_HOLE. ENXIO from the end of the file on, or when no data follows. */
  async seek(handle: number, offset: number, what: 'data' | 'hole'): Promise<number> {
    if (offset >= MAXIMUM_FILE_BYTES) throw new FileError('ENXIO', `${offset} is behind the end of every file`);
    return this.#opened.seek(handle, offset, what);
  }

  /** A close of one descriptor; `lockOwner` loses its fcntl locks on the file, whatever else happens. */
  async flush(handle: number, lockOwner?: bigint): Promise<void> {
    try {
      await this.#opened.flush(handle);
    } finally {
      if (lockOwner !== undefined) await this.locks.closed(handle, lockOwner);
    }
  }

  fsync(handle: number): Promise<void> {
    return this.#opened.fsync(handle);
  }

  /** The last close of an open file, with which go the locks that it still has. */
  async release(handle: number): Promise<void> {
    try {
      await this.locks.released(handle);
    } finally {
      await this.#opened.release(handle);
    }
  }

  opendir(inode: number): number {
    const listing = new DirectoryListing(inode, {
      files: this.#files,
      clock: this.#runtime.clock,
      attributeTimeoutMs: this.#settings.attributeTimeoutMs,
      changes: () => this.#known.changes,
    });
    return this.#handles.add({ kind: 'directory', listing, failure: this.#unsynced.failureOf(inode) });
  }

  /** Entries after `cookie`, `.` and `..` first; none at the end. More may follow behind those that are answered. */
  async readdir(handle: number, cookie: number, withAttributes: boolean, most: number): Promise<DirectoryEntry[]> {
    return this.#handles.directory(handle).listing.after(cookie, withAttributes, most);
  }

  /** Attributes of a listed entry, with what this mount has not sent yet. */
  current(attributes: Attributes): Attributes {
    return this.#known.current(attributes);
  }

  releasedir(handle: number): void {
    this.#handles.directory(handle);
    this.#handles.remove(handle);
  }

  async fsyncdir(handle: number): Promise<void> {
    const open = this.#handles.directory(handle);
    await this.#unsynced.sync(open.listing.inode);
    throwFailure(open);
  }

  statfs(): Promise<FileSystemSpace> {
    return this.#files.statfs({});
  }

  /** The kernel no longer knows the inode. */
  forget(inode: number): void {
    this.#known.forget(inode);
  }

  /** Stores everything pending; before an unmount. */
  flushAll(): Promise<void> {
    return this.#opened.flushAll();
  }

  #repeatLost(service: FileService, lost: RepeatedCalls): FileService {
    const client = this.#session?.client ?? randomHex(this.#runtime.random, CLIENT_ID_BYTES);
    return repeatLost(service, lost, new RequestIds(client), async (limits) => this.#session?.begun(limits) ?? limits);
  }

  async #changing<Result extends Partial<Changed>>(change: Promise<Result>): Promise<Result> {
    let changed: readonly Attributes[] = [];
    try {
      const result = await change;
      changed = result.changed ?? [];
      return result;
    } finally {
      this.#known.noteChange(changed);
    }
  }

  /** The inodes that must live on when the name's last file loses it. */
  async #heldUnder(parent: number, name: FileName): Promise<number[]> {
    const open = this.#opened.openInodes;
    if (open.length <= MOST_HELD_NAMED) return open;
    try {
      const { inode } = await this.#files.lookup({ parent, name });
      return this.#known.file(inode) === undefined ? [] : [inode];
    } catch (error) {
      if (error instanceof FileError && error.code === 'ENOENT') return [];
      throw error;
    }
  }
}

const neverAborts = () => new AbortController().signal;

function modeOf(asked: number | AskedMode): AskedMode {
  return typeof asked === 'number' ? { mode: asked } : asked;
}
