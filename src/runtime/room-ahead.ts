// Room behind the end of a growing file that is taken before it is needed, by
// writing zeros there: whoever fills the disk meanwhile can't have it. For a
// database in one file, which needs new pages even to remove something.
//
// LMDB's binding must never see a write fail: it then writes its message over the
// end of the memory that it has taken for it (mdb_page_flush in the lmdb package:
// malloc(100)). So whoever uses it looks first whether the file takes anything.
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

  /** How much of the room that was taken lies behind the first `usedBytes`. */
  leftBytes(usedBytes: number): number {
    return Math.max(0, this.#end - usedBytes);
  }

  /**
   * Takes the room up to `end`. Blocks, on the thread of whoever uses the file: nobody else may write behind `usedBytes`
   * meanwhile. Fails with ENOSPC when the disk is full; what was taken by then counts, and so does room that an earlier process
   * had taken, since writing over it needs none.
   */
  take(usedBytes: number, end: number): void {
    for (let at = Math.max(this.#end, usedBytes); at < end; at += ZEROS.length) {
      const zeros = ZEROS.subarray(0, Math.min(ZEROS.length, end - at));
      this.#file.writeNow([zeros], at);
      this.#end = at + zeros.length;
    }
  }

  /**
   * Writes a zero over the last one of the room. Fails where the next write of the file would, except for want of room; does
   * nothing where there is no room ahead. Blocks.
   */
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
