// What is kept of a command's result, so that its repetition can be answered:
// not the attributes, which the state has, but whose they are.
import { Buffer } from 'node:buffer';
import type { FileErrorCode } from '../../protocol/errors.js';
import { readNumber, writeNumber } from './numbers.js';

export interface ResultRow {
  /** Of the request, in its client's slot. */
  sequence: number;
  /** Why it was refused; null when it was carried out. */
  refusal: FileErrorCode | null;
  /** What the result is about; 0 when it is about none. */
  inode: number;
  /** Whatever else the result says, as a number. */
  detail: number;
  /** Inodes whose attributes belong to the result. */
  changed: number[];
}

/** Eight bytes that were a time once and are not read, sequence, and the length of the refusal, which stands alone; else numbers follow. */
const HEAD_BYTES = 17;

export function encodeResult({ sequence, refusal, inode, detail, changed }: ResultRow): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + (refusal?.length ?? 16 + 8 * changed.length));
  bytes.fill(0, 0, 8);
  writeNumber(bytes, sequence, 8);
  bytes[16] = refusal?.length ?? 0;
  if (refusal !== null) {
    bytes.write(refusal, HEAD_BYTES, 'latin1');
    return bytes;
  }
  writeNumber(bytes, inode, HEAD_BYTES);
  writeNumber(bytes, detail, HEAD_BYTES + 8);
  for (let at = 0; at < changed.length; at++) writeNumber(bytes, changed[at] ?? 0, HEAD_BYTES + 16 + 8 * at);
  return bytes;
}

export function decodeResult(value: Uint8Array): ResultRow {
  const bytes = toBuffer(value);
  const head = { sequence: readNumber(bytes, 8) };
  if (bytes[16] !== 0) {
    // Written by this code alone.
    const refusal = bytes.toString('latin1', HEAD_BYTES) as FileErrorCode;
    return { ...head, refusal, inode: 0, detail: 0, changed: [] };
  }
  const changed: number[] = [];
  for (let at = HEAD_BYTES + 16; at < bytes.length; at += 8) changed.push(readNumber(bytes, at));
  return {
    ...head,
    refusal: null,
    inode: readNumber(bytes, HEAD_BYTES),
    detail: readNumber(bytes, HEAD_BYTES + 8),
    changed,
  };
}

/** The sequence alone: all that a new request needs of the row. */
export function sequenceOf(value: Uint8Array): number {
  return readNumber(toBuffer(value), 8);
}

function toBuffer(value: Uint8Array): Buffer {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}
