// Voted bytes around small reads of open files that nobody here writes. A program
// that reads a few bytes at random reads their neighbours next, and a vote on a
// whole block costs hardly more than one on a page of it. Like the kernel's own
// pages, the bytes are dropped at the next open and at any change of the file.
import { copyOf, type Pieces } from '../../protocol/values/pieces.js';
import { giveBack } from '../../protocol/wire/lent.js';

/** Longer reads are not cached: they fetch whole blocks themselves. */
const SMALL_BYTES = 32 * 1024;
const CHUNK_BYTES = 128 * 1024;
const MAXIMUM_BYTES = 256 * 1024 * 1024;

type Fetch = (offset: number, length: number) => Promise<{ pieces: Pieces }>;

export class ReadCache {
  /** Inode → chunk number → its bytes, fewer than a chunk where the file ends. The oldest first. */
  readonly #files = new Map<number, { revision: number; chunks: Map<number, Promise<Uint8Array>> }>();
  #chunks = 0;

  /** Files of which something is kept. */
  get size(): number {
    return this.#files.size;
  }

  /** Whether a read of that length is for the cache. */
  takes(length: number): boolean {
    return length < SMALL_BYTES;
  }

  /**
   * The bytes of a range, fewer where the file ends; `fetch` brings the chunks that are not here.
   * @param revision of the newest attributes known of the file: bytes that were read under another one are dropped
   */
  async read(inode: number, revision: number, offset: number, length: number, fetch: Fetch): Promise<Pieces> {
    if (this.#files.get(inode)?.revision !== revision) {
      this.forget(inode);
      this.#files.set(inode, { revision, chunks: new Map() });
    }
    const end = offset + length;
    const parts: Uint8Array[] = [];
    for (let number = Math.floor(offset / CHUNK_BYTES); number * CHUNK_BYTES < end; number++) {
      const start = number * CHUNK_BYTES;
      const chunk = await this.#chunk(inode, number, fetch);
      parts.push(chunk.subarray(Math.max(0, offset - start), Math.min(CHUNK_BYTES, end - start)));
      if (chunk.length < CHUNK_BYTES) break;
    }
    return parts;
  }

  /** Drops all bytes of the file. */
  forget(inode: number): void {
    this.#chunks -= this.#files.get(inode)?.chunks.size ?? 0;
    this.#files.delete(inode);
  }

  #chunk(inode: number, number: number, fetch: Fetch): Promise<Uint8Array> {
    const chunks = this.#files.get(inode)?.chunks;
    // The file was forgotten between two chunks of one read.
    if (chunks === undefined) return fetch(number * CHUNK_BYTES, CHUNK_BYTES).then(keep);
    const known = chunks.get(number);
    if (known !== undefined) return known;
    const fetched = fetch(number * CHUNK_BYTES, CHUNK_BYTES).then(keep);
    chunks.set(number, fetched);
    this.#chunks++;
    // A read that failed is tried again by the next.
    fetched.catch(() => {
      if (this.#files.get(inode)?.chunks.get(number) !== fetched) return;
      chunks.delete(number);
      this.#chunks--;
    });
    this.#makeRoom();
    return fetched;
  }

  #makeRoom(): void {
    while (this.#chunks * CHUNK_BYTES > MAXIMUM_BYTES) {
      const oldest = this.#files.entries().next().value;
      if (oldest === undefined) return;
      const [inode, { chunks }] = oldest;
      const number = chunks.keys().next().value;
      if (number === undefined) {
        this.#files.delete(inode);
        continue;
      }
      chunks.delete(number);
      this.#chunks--;
    }
  }
}

/** Copies lent memory and gives it back; a view would keep more in memory than its own bytes. */
function keep(reply: { pieces: Pieces }): Uint8Array {
  const own = copyOf(reply.pieces);
  giveBack(reply);
  return own;
}
