// A state of any size in a file: parts, each with its length and checksum, written and read one by one, so that nobody else waits for
// more than one of them. Little-endian: u32 bytes of the part, u64 checksum, the part. A part of no bytes ends the file.
import { Buffer } from 'node:buffer';
import { dirname } from 'node:path';
import { saltedChecksum } from '../../protocol/values/hash.js';
import { hasCode } from '../../runtime/caught-errors.js';
import type { Disk, DiskFile } from '../../runtime/disk.js';
import { damaged } from './damage.js';

const HEAD_BYTES = 12;
/** A value and its path are the longest part; a length that is damaged takes no more memory. */
const MOST_PART_BYTES = 16 * 1024 * 1024;

export class StateFile {
  readonly #path: string;
  readonly #disk: Disk;

  constructor(path: string, disk: Disk) {
    this.#path = path;
    this.#disk = disk;
  }

  /** On stable storage when it resolves; a crash leaves what was there before. @returns bytes of the file */
  async replace(parts: Iterable<Uint8Array>): Promise<number> {
    const fresh = `${this.#path}.new`;
    await this.#disk.makeDirectory(dirname(this.#path));
    const file = await this.#disk.open(fresh, 'create');
    let bytes = 0;
    try {
      await file.truncate(0);
      for (const part of parts) bytes += await write(file, part, bytes);
      bytes += await write(file, new Uint8Array(), bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await this.#disk.rename(fresh, this.#path);
    await this.#disk.syncDirectory(dirname(this.#path));
    return bytes;
  }

  /** Nothing for a file that is missing. Throws FAILED with its name where it is damaged. */
  async *read(): AsyncGenerator<Uint8Array> {
    const file = await this.#open();
    if (file === undefined) return;
    try {
      for (let position = 0; ; ) {
        const part = await this.#partAt(file, position);
        if (part.length === 0) return;
        yield part;
        position += HEAD_BYTES + part.length;
      }
    } finally {
      await file.close();
    }
  }

  async #open(): Promise<DiskFile | undefined> {
    try {
      return await this.#disk.open(this.#path, 'reading');
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  async #partAt(file: DiskFile, position: number): Promise<Uint8Array> {
    const head = Buffer.alloc(HEAD_BYTES);
    if ((await file.read(head, position)) < HEAD_BYTES) throw damaged(this.#path, `it ends at byte ${position}`);
    const length = head.readUInt32LE(0);
    const part = Buffer.alloc(Math.min(length, MOST_PART_BYTES));
    const isWhole = (await file.read(part, position + HEAD_BYTES)) === length;
    if (!isWhole || head.readBigUInt64LE(4) !== checksumOf(part)) {
      throw damaged(this.#path, `what stands at byte ${position} is not what was written`);
    }
    return part;
  }
}

/** @returns bytes that were written */
async function write(file: DiskFile, part: Uint8Array, position: number): Promise<number> {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(part.length, 0);
  head.writeBigUInt64LE(checksumOf(part), 4);
  await file.write(part.length === 0 ? [head] : [head, part], position);
  return HEAD_BYTES + part.length;
}

/** Zeros are no end of a file. */
function checksumOf(part: Uint8Array): bigint {
  return saltedChecksum(part, 1n);
}
