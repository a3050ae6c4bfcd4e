// Files that are open here when they lose their last name. The request that takes
// the name says which files are held open; the service keeps those until they
// are released.
import { FileError } from '../../protocol/errors.js';
import { type FileName, type FileService, MOST_HELD_NAMED } from '../../protocol/services/files.js';
import type { KnownInodes } from '../inodes/known-inodes.js';

export class HeldFiles {
  readonly #files: FileService;
  readonly #known: KnownInodes;

  constructor(files: FileService, known: KnownInodes) {
    this.#files = files;
    this.#known = known;
  }

  /** Open files, among them that of the name if it is open. */
  async under(parent: number, name: FileName): Promise<number[]> {
    const open = this.#known.openFiles;
    if (open.length <= MOST_HELD_NAMED) return open.map(({ inode }) => inode);
    try {
      const { inode } = await this.#files.lookup({ parent, name });
      return this.#known.file(inode) === undefined ? [] : [inode];
    } catch (error) {
      if (error instanceof FileError && error.code === 'ENOENT') return [];
      throw error;
    }
  }

  /** A held file has lost its last name. Its last close gives its space back; this does it if that has come meanwhile. */
  async orphan(inode: number): Promise<void> {
    const file = this.#known.file(inode);
    if (file !== undefined) file.orphaned = true;
    else await this.#files.release({ inode });
  }
}
