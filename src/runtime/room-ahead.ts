// Reserves disk space behind the end of a growing file by writing zeros there, so
// that others who fill the disk can't take it. For a database in one file, which
// needs new pages even to remove something.
//
// A write of LMDB's binding must never fail: its error message overruns the memory
// that it allocates for it (mdb_page_flush in the lmdb package: malloc(100)). So
// the users of this class probe first whether the file takes a write.
import { Buffer } from 'node:buffer';
import type { DiskFile } from './disk.js';
import { diskTrouble } from './disk-trouble.js';

const ZEROS = Buffer.alloc(1024 * 1024);

export class RoomAhead {
  #end = 0;

  readonly #file: DiskFile;

  constructor(file: DiskFile) {
    this.#file = file;
  }

  /** Bytes that are reserved behind the first `usedBytes`. */
  leftBytes(usedBytes: number): number {
    return Math.max(0, this.#end - usedBytes);
  }

  /**
   * Reserves the room up to `end`. Nobody else may write behind `usedBytes` meanwhile, hence it blocks the thread that uses the file.
   * Fails with ENOSPC when the disk is full; what was reserved by then, also by an earlier call, stays reserved.
   */
  take(usedBytes: number, end: number): void {
    for (let at = Math.max(this.#end, usedBytes); at < end; at += ZEROS.length) {
      const zeros = ZEROS.subarray(0, Math.min(ZEROS.length, end - at));
      this.#file.writeNow([zeros], at);
      this.#end = at + zeros.length;
    }
  }

  /** Writes one of the reserved zeros again. Fails as the next write of the file would, except for want of room. Blocks. */
  probe(usedBytes: number): void {
    if (this.#end <= usedBytes) return;
    try {
      this.#file.writeNow([ZEROS.subarray(0, 1)], this.#end - 1);
    } catch (error) {
      if (diskTrouble(error) !== 'full') throw error;
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
