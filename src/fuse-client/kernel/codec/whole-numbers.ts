// The protocol's unsigned 64-bit numbers, which must be exact in JavaScript.
import type { Buffer } from 'node:buffer';

/** A request that does not fit its layout. */
export class MalformedRequest extends Error {
  override readonly name = 'MalformedRequest';
}

/** @throws MalformedRequest for a number beyond 2^53 */
export function readWhole(bytes: Buffer, at: number): number {
  const value = bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 0x1_0000_0000;
  if (!Number.isSafeInteger(value)) throw new MalformedRequest(`a number beyond 2^53 at byte ${at}`);
  return value;
}

export function writeWhole(target: Buffer, value: number, at: number): void {
  target.writeUInt32LE(value % 0x1_0000_0000, at);
  target.writeUInt32LE(Math.floor(value / 0x1_0000_0000), at + 4);
}
