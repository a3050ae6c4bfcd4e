// Messages by which the mount has the kernel forget what it has cached. Pure.
import { Buffer } from 'node:buffer';
import type { FileName } from '../../../protocol/services/files.js';
import { NotifyCode, OUT_HEADER_BYTES } from './layout.js';
import { writeWhole } from './whole-numbers.js';

/** Forgets what is cached of an inode: its attributes only, or all its pages too. */
export function encodeInvalidation(inode: number, what: 'attributes' | 'content'): Uint8Array[] {
  const message = Buffer.alloc(OUT_HEADER_BYTES + 24);
  message.writeUInt32LE(message.length, 0);
  message.writeInt32LE(NotifyCode.INVALIDATE_INODE, 4);
  writeWhole(message, inode, 16);
  message.writeBigInt64LE(what === 'attributes' ? -1n : 0n, 24);
  return [message];
}

/** Forgets what a name stands for. */
export function encodeNameInvalidation(parent: number, name: FileName): Uint8Array[] {
  const message = Buffer.alloc(OUT_HEADER_BYTES + 16 + name.length + 1);
  message.writeUInt32LE(message.length, 0);
  message.writeInt32LE(NotifyCode.INVALIDATE_ENTRY, 4);
  writeWhole(message, parent, 16);
  message.writeUInt32LE(name.length, 24);
  message.write(name, 32, 'latin1');
  return [message];
}

/** Forgets what all names stand for. Kernels understand it from EPOCH_PROTOCOL_MINOR on. */
export function encodeAllNamesInvalidation(): Uint8Array[] {
  const message = Buffer.alloc(OUT_HEADER_BYTES);
  message.writeUInt32LE(message.length, 0);
  message.writeInt32LE(NotifyCode.INCREASE_EPOCH, 4);
  return [message];
}
