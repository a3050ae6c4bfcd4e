// Small reads of files that nobody here writes, through the read cache; and the
// read-ahead of small files as they are opened.
import type { FileService } from '../../protocol/services/files.js';
import type { Pieces } from '../../protocol/values/pieces.js';
import type { KnownInodes } from '../inodes/known-inodes.js';
import type { WriteBackFile } from '../write-back/write-back-file.js';

/** After so many read-aheads in a row that no read has used, only one open in TRIED_AGAIN_EVERY reads ahead. */
const MOST_UNUSED = 16;
const TRIED_AGAIN_EVERY = 16;
/** The kernel's. */
const PAGE_BYTES = 4096;

export class CachedReads {
  #unusedReadAheads = 0;
  #opensSkipped = 0;

  readonly #files: FileService;
  readonly #known: KnownInodes;

  constructor(files: FileService, known: KnownInodes) {
    this.#files = files;
    this.#known = known;
  }

  /** Whether the cache may answer a read of that range. */
  serves(file: WriteBackFile, offset: number, length: number): boolean {
    const existing = Math.min(length, Math.max(0, file.attributes.sizeBytes - offset));
    return this.#known.readCache.takes(existing) && !file.isPending && !file.isWritable;
  }

  read(file: WriteBackFile, offset: number, length: number): Promise<Pieces> {
    this.#unusedReadAheads = 0;
    return this.#read(file, offset, length);
  }

  /**
   * Starts the vote on the bytes of a small file while the kernel is still being told of the open: a program that opens such a
   * file reads it next, whole pages at a time.
   */
  readAhead(file: WriteBackFile): void {
    const { sizeBytes } = file.attributes;
    const length = Math.ceil(sizeBytes / PAGE_BYTES) * PAGE_BYTES;
    if (length === 0 || !this.#known.readCache.takes(length) || !this.serves(file, 0, length)) return;
    if (this.#unusedReadAheads >= MOST_UNUSED && this.#opensSkipped++ % TRIED_AGAIN_EVERY !== 0) return;
    this.#unusedReadAheads++;
    // A read that comes meanwhile shares the outcome; after a failure, the next read asks again.
    this.#read(file, 0, length).catch(() => {});
  }

  #read(file: WriteBackFile, offset: number, length: number): Promise<Pieces> {
    const { inode, attributes } = file;
    const fetch = (from: number, size: number) => this.#files.read({ inode, offset: from, length: size });
    return this.#known.readCache.read(inode, attributes.revision, offset, length, fetch);
  }
}
