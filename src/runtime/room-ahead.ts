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

  /** Bytes that are taken behind the first `usedBytes`. */
  leftBytes(usedBytes: number): number {
    return Math.max(0, this.#end - usedBytes);
  }

  /**
   * Takes the room up to `end`. In one thread with whoever uses the file: nobody else writes behind `usedBytes`. Blocks.
   * Fails with ENOSPC when the disk is full; what was taken by then, also in a former life, counts.
   */
  take(usedBytes: number, end: number): void {
    for (let at = Math.max(this.#end, usedBytes); at < end; at += ZEROS.length) {
      const zeros = ZEROS.subarray(0, Math.min(ZEROS.length, end - at));
      this.#file.writeNow([zeros], at);
      this.#end = at + zeros.length;
    }
  }

  /** Writes a zero there that is one already. Fails as the next write of the file would, but for want of room. Blocks. */
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
