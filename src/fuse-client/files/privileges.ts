// Privileges that a file loses when its content or owner is changed: the set-id
// bits of its mode, POSIX write() and chown(), and its capability, capabilities(7).
import { FileError } from '../../protocol/errors.js';
import type { FileService } from '../../protocol/services/files.js';
import type { KernelCache } from '../cache/kernel-cache.js';
import type { KnownInodes } from '../inodes/known-inodes.js';
import type { WriteBackFile } from '../write-back/write-back-file.js';

const SET_USER_ID = 0o4000;
const SET_GROUP_ID = 0o2000;
const GROUP_EXECUTE = 0o010;
const CAPABILITY = 'security.capability';

/** A file's mode after somebody without privileges changed its content or owner. */
export function withoutPrivileges(mode: number): number {
  const withoutUser = mode & ~SET_USER_ID;
  return (mode & GROUP_EXECUTE) === 0 ? withoutUser : withoutUser & ~SET_GROUP_ID;
}

export class Privileges {
  readonly #files: FileService;
  readonly #known: KnownInodes;
  readonly #kernelCache: KernelCache;

  constructor(files: FileService, known: KnownInodes, kernelCache: KernelCache) {
    this.#files = files;
    this.#known = known;
    this.#kernelCache = kernelCache;
  }

  /** For a write or a truncation: clears set-user-id, and set-group-id of executables. */
  async takeFrom(file: WriteBackFile): Promise<void> {
    const { mode } = file.attributes;
    const kept = withoutPrivileges(mode);
    if (kept === mode) return;
    const changed = await this.#files.setattr({
      inode: file.inode,
      changes: { mode: kept },
      caller: { uid: 0, gid: 0 },
    });
    this.#known.noteChange([changed]);
    // The kernel leaves the bits to us, and keeps the old mode until it is told.
    this.#kernelCache.forgetAttributes(file.inode);
  }

  /**
   * For a truncation at open and a write past the page cache, before which the kernel does not: new content must not run with the
   * rights that the old one was given.
   */
  async takeCapability(inode: number): Promise<void> {
    if (this.#known.hasNoExtendedAttributes(inode)) return;
    try {
      // Of the attributes, lists of access control are what a file that is appended to may have.
      await this.#files.getxattr({ inode, name: CAPABILITY });
      const { attributes } = await this.#files.removexattr({ inode, name: CAPABILITY });
      this.#known.noteChange([attributes]);
    } catch (error) {
      if (!(error instanceof FileError && error.code === 'ENODATA')) throw error;
    }
  }
}
