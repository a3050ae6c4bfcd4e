// Parts of rows that stand in several tables: whole numbers and kinds of files
// as bytes, big-endian. Equal rows have equal bytes, so that two replicas of the
// state can be compared.
import { Buffer } from 'node:buffer';
import type { FileKind } from '../../protocol/services/files.js';

const KINDS: readonly FileKind[] = ['file', 'directory', 'symlink', 'fifo', 'socket', 'character', 'block'];

export function encodeNumbers(values: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(8 * values.length);
  values.forEach((value, position) => {
    writeNumber(bytes, value, 8 * position);
  });
  return bytes;
}

export function decodeNumbers(value: Uint8Array, count: number): number[] {
  const bytes = expectBytes(value, 8 * count);
  return Array.from({ length: count }, (_, position) => readNumber(bytes, 8 * position));
}

/** 8 bytes, big-endian, of a whole number from 0 to 2^53 - 1. */
export function writeNumber(bytes: Buffer, value: number, position: number): void {
  bytes.writeUInt32BE(Math.floor(value / 0x1_0000_0000), position);
  bytes.writeUInt32BE(value >>> 0, position + 4);
}

export function readNumber(bytes: Buffer, position: number): number {
  return bytes.readUInt32BE(position) * 0x1_0000_0000 + bytes.readUInt32BE(position + 4);
}

export function kindAt(bytes: Buffer, position: number): FileKind {
  const kind = KINDS[bytes[position] ?? KINDS.length];
  if (kind === undefined) throw new Error(`a row names a kind of file that does not exist: ${bytes[position]}`);
  return kind;
}

/** The byte that `kindAt` reads. */
export function byteOfKind(kind: FileKind): number {
  return KINDS.indexOf(kind);
}

/** The row, which must have at least so many bytes. */
export function expectBytes(value: Uint8Array, minimum: number): Buffer {
  if (value.length < minimum) throw new Error(`a row has ${value.length} bytes where ${minimum} were expected`);
  return Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}
