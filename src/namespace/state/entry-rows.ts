// Names in directories as rows: by name, and by cookie, which is the order of
// listings.
import { Buffer } from 'node:buffer';
import type { FileKind } from '../../protocol/services/files.js';
import { byteOfKind, expectBytes, kindAt, readNumber, writeNumber } from './numbers.js';

export interface EntryRow {
  inode: number;
  kind: FileKind;
  cookie: number;
}

export interface CookieRow {
  inode: number;
  kind: FileKind;
  name: string;
}

export function encodeEntry(row: EntryRow): Buffer {
  const bytes = Buffer.allocUnsafe(17);
  bytes[0] = byteOfKind(row.kind);
  writeNumber(bytes, row.inode, 1);
  writeNumber(bytes, row.cookie, 9);
  return bytes;
}

export function decodeEntry(value: Uint8Array): EntryRow {
  const bytes = expectBytes(value, 17);
  return { kind: kindAt(bytes, 0), inode: readNumber(bytes, 1), cookie: readNumber(bytes, 9) };
}

export function encodeCookie(row: CookieRow): Buffer {
  const bytes = Buffer.allocUnsafe(9 + row.name.length);
  bytes[0] = byteOfKind(row.kind);
  writeNumber(bytes, row.inode, 1);
  bytes.write(row.name, 9, 'latin1');
  return bytes;
}

export function decodeCookie(value: Uint8Array): CookieRow {
  const bytes = expectBytes(value, 10);
  return { kind: kindAt(bytes, 0), inode: readNumber(bytes, 1), name: bytes.toString('latin1', 9) };
}
