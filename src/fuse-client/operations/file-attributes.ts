// stat(2), chmod(2), chown(2), truncate(2), utimensat(2): attributes of files of
// any kind, in order with what is pending of them.
import type { AttributeChanges, Attributes, Caller, FileService } from '../../protocol/services/files.js';
import type { CallOptions } from '../../protocol/services/service.js';
import type { KernelCache } from '../cache/kernel-cache.js';
import { withoutPrivileges } from '../files/privileges.js';
import type { HandleTable } from '../handles/handle-table.js';
import type { KnownInodes } from '../inodes/known-inodes.js';
import { checkEnd } from '../posix/limits.js';
import { throwLostLock } from '../write-back/unreported-errors.js';

export interface FileAttributesDependencies {
  files: FileService;
  handles: HandleTable;
  known: KnownInodes;
  kernelCache: KernelCache;
}

export class FileAttributes {
  readonly #files: FileService;
  readonly #handles: HandleTable;
  readonly #known: KnownInodes;
  readonly #kernelCache: KernelCache;

  constructor({ files, handles, known, kernelCache }: FileAttributesDependencies) {
    this.#files = files;
    this.#handles = handles;
    this.#known = known;
    this.#kernelCache = kernelCache;
  }

  async get(inode: number): Promise<Attributes> {
    return this.#known.ofLastChange(inode) ?? this.#known.current(await this.#files.getattr({ inode }));
  }

  /** Attributes of a listed entry, with what this mount has not sent yet. */
  current(attributes: Attributes): Attributes {
    return this.#known.current(attributes);
  }

  /** `handle`: the open file through which the size changes. `killPrivileges`: the caller may not keep set-id bits. */
  async set(
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
      const { mode, kind } = this.#known.file(inode)?.attributes ?? (await this.get(inode));
      const kept = withoutPrivileges(mode);
      if (kind === 'file' && kept !== mode) rest.mode = kept;
    }
    if (sizeBytes !== undefined) {
      const isBuffered = await this.#resizePending(inode, sizeBytes, handle);
      if (!isBuffered) rest.sizeBytes = sizeBytes;
    }
    // Bytes on their way carry their own modification time, which must not come after one that is set now.
    if (rest.modifyTimeNs !== undefined) await this.#storeOnTheirWay(inode);
    else if (rest.accessTimeNs !== undefined) await this.#known.file(inode)?.flush();
    if (Object.keys(rest).length === 0) {
      this.#known.noteChange();
      return this.#known.file(inode)?.attributes ?? this.get(inode);
    }
    if (handle !== undefined) throwLostLock(this.#handles.file(handle));
    const set = (given?: CallOptions) => this.#files.setattr({ inode, changes: rest, caller }, given);
    const guarded = guard === undefined ? set : () => guard.run(set, limits);
    const file = rest.modifyTimeNs === undefined ? undefined : this.#known.file(inode);
    const changed = await (file === undefined ? guarded() : file.setTime(guarded));
    const isWrite = rest.sizeBytes !== undefined && Object.keys(rest).length === 1;
    if (isWrite) this.#known.noteCommit(changed);
    else this.#known.noteChange([changed]);
    return this.#known.current(changed);
  }

  /** Buffers a cut of a file that is open for writing, in order with its writes. False when the service has to resize it. */
  async #resizePending(inode: number, sizeBytes: number, handle: number | undefined): Promise<boolean> {
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
   * Stores what the mount has begun to send, and all of a file with mappings: the kernel says nothing of a mapping before it
   * sends its pages, so it is made to send them.
   */
  async #storeOnTheirWay(inode: number): Promise<void> {
    const file = this.#known.file(inode);
    if (file?.isMappable !== true) return file?.settled();
    await this.#kernelCache.writeBack(inode);
    await file.flush();
  }
}
