// Answers that carry attributes: of one inode, of a name, and of listed names. Pure.
import { Buffer } from 'node:buffer';
import type { Attributes, DirectoryEntry, FileName } from '../../../protocol/services/files.js';
import { modeOf } from '../../posix/file-modes.js';
import type { ReplyBody } from './replies.js';
import { writeWhole } from './whole-numbers.js';

const ATTRIBUTES_BYTES = 88;
const ENTRY_BYTES = 40 + ATTRIBUTES_BYTES;
const DIRENT_BYTES = 24;

/**
 * The attributes that come with a name are valid for so long at least: a stat(2) that has looked the name up takes these, and does
 * not ask for those of a file that was replaced meanwhile.
 */
const LEAST_WITH_NAME_MS = 20;

/** A name's inode and attributes; both may be kept by the kernel for `validMs`, the attributes a little longer. */
export function encodeEntry(attributes: Attributes, validMs: number): Buffer {
  const body = Buffer.allocUnsafe(ENTRY_BYTES);
  writeEntry(body, 0, attributes, validMs, Math.max(validMs, LEAST_WITH_NAME_MS));
  return body;
}

export function encodeAttributes(attributes: Attributes, validMs: number): ReplyBody {
  const body = Buffer.allocUnsafe(16 + ATTRIBUTES_BYTES);
  writeWhole(body, Math.floor(validMs / 1000), 0);
  body.writeUInt32LE((validMs % 1000) * 1_000_000, 8);
  body.writeUInt32LE(0, 12);
  writeAttributes(body, 16, attributes);
  return [body];
}

/**
 * As many entries as fit into `limitBytes`, from the first on; with their attributes, if they have some, when `validMs` is
 * given. `lookedUp` are those for which the kernel counts a lookup.
 */
export function encodeDirectory(
  entries: readonly DirectoryEntry[],
  limitBytes: number,
  validMs?: number,
): { body: ReplyBody; lookedUp: { name: FileName; attributes: Attributes }[] } {
  const body = Buffer.allocUnsafe(limitBytes);
  const lookedUp: { name: FileName; attributes: Attributes }[] = [];
  const direntAt = validMs === undefined ? 0 : ENTRY_BYTES;
  let at = 0;
  for (const entry of entries) {
    const length = align8(direntAt + DIRENT_BYTES + entry.name.length);
    if (at + length > limitBytes) break;
    body.fill(0, at, at + length);
    if (validMs !== undefined && entry.attributes !== undefined) {
      writeEntry(body, at, entry.attributes, validMs, validMs);
      lookedUp.push({ name: entry.name, attributes: entry.attributes });
    }
    const dirent = at + direntAt;
    writeWhole(body, entry.inode, dirent);
    writeWhole(body, entry.cookie, dirent + 8);
    body.writeUInt32LE(entry.name.length, dirent + 16);
    body.writeUInt32LE(modeOf(entry.kind, 0) >>> 12, dirent + 20);
    body.write(entry.name, dirent + DIRENT_BYTES, 'latin1');
    at += length;
  }
  return { body: [body.subarray(0, at)], lookedUp };
}

function writeEntry(target: Buffer, at: number, attributes: Attributes, validMs: number, attributesMs: number): void {
  writeWhole(target, attributes.inode, at);
  writeWhole(target, 0, at + 8);
  writeWhole(target, Math.floor(validMs / 1000), at + 16);
  writeWhole(target, Math.floor(attributesMs / 1000), at + 24);
  target.writeUInt32LE((validMs % 1000) * 1_000_000, at + 32);
  target.writeUInt32LE((attributesMs % 1000) * 1_000_000, at + 36);
  writeAttributes(target, at + 40, attributes);
}

function writeAttributes(target: Buffer, at: number, attributes: Attributes): void {
  writeWhole(target, attributes.inode, at);
  writeWhole(target, attributes.sizeBytes, at + 8);
  writeWhole(target, Math.ceil(attributes.allocatedBytes / 512), at + 16);
  writeTime(target, attributes.accessTimeNs, at + 24, at + 48);
  writeTime(target, attributes.modifyTimeNs, at + 32, at + 52);
  writeTime(target, attributes.changeTimeNs, at + 40, at + 56);
  target.writeUInt32LE(modeOf(attributes.kind, attributes.mode), at + 60);
  target.writeUInt32LE(attributes.links, at + 64);
  target.writeUInt32LE(attributes.uid, at + 68);
  target.writeUInt32LE(attributes.gid, at + 72);
  target.writeUInt32LE(attributes.device, at + 76);
  target.writeUInt32LE(attributes.blockSizeBytes, at + 80);
  target.writeUInt32LE(0, at + 84);
}

function writeTime(target: Buffer, timeNs: bigint, secondsAt: number, nanosecondsAt: number): void {
  let seconds = timeNs / 1_000_000_000n;
  let nanoseconds = Number(timeNs % 1_000_000_000n);
  if (nanoseconds < 0) {
    seconds -= 1n;
    nanoseconds += 1_000_000_000;
  }
  target.writeBigInt64LE(seconds, secondsAt);
  target.writeUInt32LE(nanoseconds, nanosecondsAt);
}

function align8(length: number): number {
  return (length + 7) & ~7;
}
