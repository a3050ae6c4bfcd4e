// One file of the log. It has its full size before it is used, so that a sync need not write an inode, and is used again when its
// entries are not needed any more. Its header stands there twice, little-endian:
//   u64 checksum of the rest, u32 magic, u32 version, u64 number of the segment, u64 salt
import { Buffer } from 'node:buffer';
import { join } from 'node:path';
import { saltedChecksum } from '../../protocol/values/hash.js';
import type { Disk, DiskFile } from '../../runtime/disk.js';
import type { Pacer } from '../../runtime/pacer.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { Mark } from '../core/core.js';

const MAGIC = 0x6c72_6d6e;
const VERSION = 1;
const HEADER_BYTES = 32;
const COPY_BYTES = 4096;
const COPIES = 2;
/** Where the frames begin. */
export const FRAMES_START = COPIES * COPY_BYTES;

export interface SegmentHeader {
  /** Segments are used in this order. */
  readonly number: number;
  readonly salt: bigint;
}

/** A segment as a start finds it. */
export interface FoundSegment {
  readonly name: string;
  readonly header: SegmentHeader;
  readonly sizeBytes: number;
  /** The entry before its first one. */
  readonly mark: Mark;
  /** Behind the last frame that counts. */
  readonly end: number;
  readonly lowestIndex: number;
}

export class Segment {
  /** Where the next frame goes. */
  end = FRAMES_START;
  /** Of the entries in it; infinite when it has none. */
  lowestIndex = Number.POSITIVE_INFINITY;

  readonly directory: string;
  readonly name: string;
  readonly header: SegmentHeader;
  readonly sizeBytes: number;
  readonly #file: DiskFile;

  constructor(directory: string, name: string, header: SegmentHeader, file: DiskFile, sizeBytes: number) {
    this.directory = directory;
    this.name = name;
    this.header = header;
    this.sizeBytes = sizeBytes;
    this.#file = file;
  }

  get path(): string {
    return join(this.directory, this.name);
  }

  hasRoom(bytes: number): boolean {
    return this.end + bytes <= this.sizeBytes;
  }

  /** Durable when it resolves. After a rejection nobody knows what is there, and nothing more may be appended. */
  async append(bytes: Buffer, pacer: Pacer): Promise<void> {
    const file = this.#file;
    const position = this.end;
    this.end += bytes.length;
    const { syncNow } = file;
    if (syncNow !== undefined && pacer.isQuick) {
      pacer.runNow(bytes.length, () => {
        file.writeNow([bytes], position);
        syncNow.call(file);
      });
    } else {
      await pacer.runPooled(bytes.length, () => file.writeThrough([bytes], position));
    }
  }

  async read(position: number, bytes: number): Promise<Buffer> {
    const target = Buffer.alloc(bytes);
    const read = await this.#file.read(target, position);
    return target.subarray(0, read);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** Makes the file, or takes one that is not needed any more, and gives it its size and its header, on stable storage. */
export async function prepareSegment(
  directory: string,
  name: string,
  number: number,
  leastBytes: number,
  { disk, random }: Runtime,
): Promise<Segment> {
  const header = { number, salt: Buffer.from(random.bytes(8)).readBigUInt64LE() };
  const file = await disk.open(join(directory, name), 'create');
  try {
    const sizeBytes = await fillUp(file, leastBytes);
    const encoded = encodeHeader(header);
    await file.write(
      Array.from({ length: COPIES }, () => encoded),
      0,
    );
    await file.sync();
    await disk.syncDirectory(directory);
    return new Segment(directory, name, header, file, sizeBytes);
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Opens a segment of an earlier start, to be read. */
export async function openSegment(directory: string, found: FoundSegment, disk: Disk): Promise<Segment> {
  const file = await disk.open(join(directory, found.name), 'reading');
  const segment = new Segment(directory, found.name, found.header, file, found.sizeBytes);
  segment.end = found.end;
  segment.lowestIndex = found.lowestIndex;
  return segment;
}

/** undefined for a file whose header was never whole. */
export function decodeHeader(content: Buffer): SegmentHeader | undefined {
  for (let copy = 0; copy < COPIES; copy++) {
    const bytes = content.subarray(copy * COPY_BYTES, copy * COPY_BYTES + HEADER_BYTES);
    if (bytes.length < HEADER_BYTES || bytes.readBigUInt64LE(0) !== checksumOf(bytes)) continue;
    if (bytes.readUInt32LE(8) !== MAGIC) continue;
    const version = bytes.readUInt32LE(12);
    if (version !== VERSION) throw new Error(`a log of version ${version}, which this program does not know`);
    return { number: Number(bytes.readBigUInt64LE(16)), salt: bytes.readBigUInt64LE(24) };
  }
  return undefined;
}

function encodeHeader({ number, salt }: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(COPY_BYTES);
  bytes.writeUInt32LE(MAGIC, 8);
  bytes.writeUInt32LE(VERSION, 12);
  bytes.writeBigUInt64LE(BigInt(number), 16);
  bytes.writeBigUInt64LE(salt, 24);
  bytes.writeBigUInt64LE(checksumOf(bytes), 0);
  return bytes;
}

function checksumOf(bytes: Buffer): bigint {
  return saltedChecksum(bytes.subarray(8, HEADER_BYTES), 0n);
}

/** When that fails, the file has its old size again: the disk's last room is for others. @returns the size */
async function fillUp(file: DiskFile, leastBytes: number): Promise<number> {
  const present = await file.sizeBytes();
  if (present >= leastBytes) return present;
  try {
    await file.write([Buffer.alloc(leastBytes - present)], present);
    await file.sync();
    return leastBytes;
  } catch (error) {
    await file.truncate(present);
    throw error;
  }
}
