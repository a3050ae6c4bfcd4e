// A file's bytes in memory, in blocks; blocks that were never written are holes.
export const MEMORY_BLOCK_BYTES = 128 * 1024;

export class MemoryContent {
  sizeBytes = 0;
  readonly #blocks = new Map<number, Buffer>();

  get allocatedBytes(): number {
    return this.#blocks.size * MEMORY_BLOCK_BYTES;
  }

  read(offset: number, length: number): Uint8Array {
    const result = Buffer.allocUnsafe(Math.max(0, Math.min(length, this.sizeBytes - offset)));
    for (let at = 0; at < result.length; ) {
      const within = (offset + at) % MEMORY_BLOCK_BYTES;
      const count = Math.min(MEMORY_BLOCK_BYTES - within, result.length - at);
      const block = this.#blocks.get(Math.floor((offset + at) / MEMORY_BLOCK_BYTES));
      if (block === undefined) result.fill(0, at, at + count);
      else block.copy(result, at, within, within + count);
      at += count;
    }
    return result;
  }

  write(offset: number, data: Uint8Array): void {
    for (let at = 0; at < data.length; ) {
      const index = Math.floor((offset + at) / MEMORY_BLOCK_BYTES);
      const within = (offset + at) % MEMORY_BLOCK_BYTES;
      const count = Math.min(MEMORY_BLOCK_BYTES - within, data.length - at);
      let block = this.#blocks.get(index);
      if (block === undefined) {
        block = Buffer.alloc(MEMORY_BLOCK_BYTES);
        this.#blocks.set(index, block);
      }
      block.set(data.subarray(at, at + count), within);
      at += count;
    }
    this.sizeBytes = Math.max(this.sizeBytes, offset + data.length);
  }

  /** Zeros over a range; blocks within it become holes. */
  punch(offset: number, length: number): void {
    const end = offset + length;
    for (const [index, block] of this.#blocks) {
      const start = index * MEMORY_BLOCK_BYTES;
      if (start >= offset && start + MEMORY_BLOCK_BYTES <= end) this.#blocks.delete(index);
      else if (start < end && start + MEMORY_BLOCK_BYTES > offset) {
        block.fill(0, Math.max(0, offset - start), Math.min(MEMORY_BLOCK_BYTES, end - start));
      }
    }
  }

  /** The next offset that lies in a block or in none; undefined when that is not before the end. */
  edge(offset: number, what: 'data' | 'hole'): number | undefined {
    let index = Math.floor(offset / MEMORY_BLOCK_BYTES);
    if (what === 'data') index = Math.min(...[...this.#blocks.keys()].filter((one) => one >= index));
    else while (this.#blocks.has(index)) index++;
    const at = Math.max(offset, index * MEMORY_BLOCK_BYTES);
    return at < this.sizeBytes ? at : undefined;
  }

  resize(sizeBytes: number): void {
    if (sizeBytes < this.sizeBytes) {
      const kept = Math.ceil(sizeBytes / MEMORY_BLOCK_BYTES);
      for (const index of this.#blocks.keys()) if (index >= kept) this.#blocks.delete(index);
      this.#blocks.get(kept - 1)?.fill(0, sizeBytes - (kept - 1) * MEMORY_BLOCK_BYTES);
    }
    this.sizeBytes = sizeBytes;
  }
}
