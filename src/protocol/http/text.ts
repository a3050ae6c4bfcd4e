// What people and XML-RPC read: names as text, attributes as a struct.
import { Buffer } from 'node:buffer';
import { FileError } from '../errors.js';
import type { Attributes, FileName } from '../services/files.js';
import type { XmlRpcValue } from './xml-rpc.js';

/** The name's bytes, one character each. */
export function nameFromText(text: string): FileName {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** The name as text; bytes that are not UTF-8 show as U+FFFD. */
export function nameToText(name: FileName): string {
  return Buffer.from(name, 'latin1').toString('utf8');
}

const FIRST_DATE_MS = Date.parse('0001-01-01T00:00:00Z');
const LAST_DATE_MS = Date.parse('9999-12-31T23:59:59Z');

/** What the way along a path failed with, in the words of whoever gave the path: they know no inodes. */
export function namingPath(error: unknown, path: string): unknown {
  if (!(error instanceof FileError)) return error;
  if (error.code === 'ENOENT') return new FileError('ENOENT', `${path}: there is no such file or directory`);
  if (error.code === 'ENOTDIR') return new FileError('ENOTDIR', `${path}: a part of this path is no directory`);
  return error;
}

/** Milliseconds are all that an XML-RPC date can say, and more; its years are 1 to 9999. */
export function toDate(timeNs: bigint): Date {
  return new Date(Math.min(LAST_DATE_MS, Math.max(FIRST_DATE_MS, Number(timeNs / 1_000_000n))));
}

/** Sizes in bytes; times as dates. */
export function describeAttributes(attributes: Attributes): { [key: string]: XmlRpcValue } {
  return {
    inode: attributes.inode,
    kind: attributes.kind,
    mode: attributes.mode,
    links: attributes.links,
    uid: attributes.uid,
    gid: attributes.gid,
    size: attributes.sizeBytes,
    allocated: attributes.allocatedBytes,
    accessed: toDate(attributes.accessTimeNs),
    modified: toDate(attributes.modifyTimeNs),
    changed: toDate(attributes.changeTimeNs),
    blockSize: attributes.blockSizeBytes,
    revision: attributes.revision,
  };
}
