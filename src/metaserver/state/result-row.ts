// What is kept of a command's result, so that its repetition can be answered:
// not the attributes, which the state has, but whose they are.
import type { FileErrorCode } from '../../protocol/errors.js';
import { decodeNumbers, encodeNumbers } from './rows.js';

export interface ResultRow {
  /** Of the request, in its client's slot. */
  sequence: number;
  /** When the command was given. */
  timeNs: bigint;
  /** Why it was refused; null when it was carried out. */
  refusal: FileErrorCode | null;
  /** What the result is about; 0 when it is about none. */
  inode: number;
  /** Whatever else the result says, as a number. */
  detail: number;
  /** Inodes whose attributes belong to the result. */
  changed: number[];
}

/** Time, sequence, and the length of the refusal. */
const HEAD_BYTES = 17;

export function encodeResult({ sequence, timeNs, refusal, inode, detail, changed }: ResultRow): Buffer {
  const code = refusal ?? '';
  const head = Buffer.allocUnsafe(HEAD_BYTES + code.length);
  head.writeBigInt64BE(timeNs, 0);
  encodeNumbers([sequence]).copy(head, 8);
  head[16] = code.length;
  head.write(code, HEAD_BYTES, 'latin1');
  return code === '' ? Buffer.concat([head, encodeNumbers([inode, detail, ...changed])]) : head;
}

export function decodeResult(value: Uint8Array): ResultRow {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const codeLength = bytes[16] ?? 0;
  const numbersAt = HEAD_BYTES + codeLength;
  const count = Math.floor((bytes.length - numbersAt) / 8);
  const [inode = 0, detail = 0, ...changed] = decodeNumbers(bytes.subarray(numbersAt), count);
  const code = bytes.toString('latin1', HEAD_BYTES, numbersAt);
  return {
    timeNs: bytes.readBigInt64BE(0),
    sequence: decodeNumbers(bytes.subarray(8, 16), 1)[0] ?? 0,
    // Written by this code alone.
    refusal: code === '' ? null : (code as FileErrorCode),
    inode,
    detail,
    changed,
  };
}
