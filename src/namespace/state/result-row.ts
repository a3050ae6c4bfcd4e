// A row of the dedupe table: what is kept of a command's result, so that a retry
// can be answered. It names inodes; their attributes are in their own rows.
import { Buffer } from 'node:buffer';
import type { FileErrorCode } from '../../protocol/errors.js';
import { readNumber, writeNumber } from './numbers.js';

export interface ResultRow {
  /** The number of the request in its client's slot. */
  sequence: number;
  /** Why it was refused; null when it was carried out. */
  refusal: FileErrorCode | null;
  /** The inode that the result is about; 0 for none. */
  inode: number;
  /** A second number, whose meaning depends on the command: see result-codecs.ts. */
  detail: number;
  /** Inodes whose attributes belong to the result. */
  changed: number[];
}

/** 8 bytes that are not read (a time in earlier versions of nmrfs), the sequence, and the length of the refusal. The refusal follows, or, when its length is 0, the numbers. */
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
    // Only encodeResult writes rows.
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

/** The sequence alone: a new request needs no more of the row. */
export function sequenceOf(value: Uint8Array): number {
  return readNumber(toBuffer(value), 8);
}

function toBuffer(value: Uint8Array): Buffer {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}
