// A file's bytes in memory, in blocks; blocks that were never written are holes.
export const MEMORY_BLOCK_BYTES = 128 * 1024;

export class MemoryContent {
  sizeBytes = 0;
  private readonly blocks = new Map<number, Buffer>();

  get allocatedBytes(): number {
    return this.blocks.size * MEMORY_BLOCK_BYTES;
  }

  read(offset: number, length: number): Uint8Array {
    const result = Buffer.allocUnsafe(Math.max(0, Math.min(length, this.sizeBytes - offset)));
    for (let at = 0; at < result.length; ) {
      const within = (offset + at) % MEMORY_BLOCK_BYTES;
      const count = Math.min(MEMORY_BLOCK_BYTES - within, result.length - at);
      const block = this.blocks.get(Math.floor((offset + at) / MEMORY_BLOCK_BYTES));
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
      let block = this.blocks.get(index);
      if (block === undefined) {
        block = Buffer.alloc(MEMORY_BLOCK_BYTES);
        this.blocks.set(index, block);
      }
      block.set(data.subarray(at, at + count), within);
      at += count;
    }
    this.sizeBytes = Math.max(this.sizeBytes, offset + data.length);
  }

  resize(sizeBytes: number): void {
    if (sizeBytes < this.sizeBytes) {
      const kept = Math.ceil(sizeBytes / MEMORY_BLOCK_BYTES);
      for (const index of this.blocks.keys()) if (index >= kept) this.blocks.delete(index);
      this.blocks.get(kept - 1)?.fill(0, sizeBytes - (kept - 1) * MEMORY_BLOCK_BYTES);
    }
    this.sizeBytes = sizeBytes;
  }
}
