// Keys of the metaserver's tables: a byte for the table, then numbers of 8
// bytes, big-endian, and names. Their order is the order of listings.
import { Buffer } from 'node:buffer';
import type { Key } from '../view.js';

const TABLE = {
  blocks: 'b',
  cookies: 'c',
  entries: 'd',
  garbage: 'g',
  inodes: 'i',
  links: 'l',
  missed: 'm',
  orphans: 'o',
  properties: 'p',
  // Sorts next to the counters, which most commands change too: often in the same page of the database.
  results: 'q',
  servers: 's',
  missing: 'u',
  xattrs: 'x',
} as const;

export type TableName = keyof typeof TABLE;

/** Keys with from <= key < to. */
export interface KeyRange {
  from: Key;
  to: Key;
}

export const COUNTERS_KEY: Key = `${TABLE.properties}counters`;
export const CLUSTER_KEY: Key = `${TABLE.properties}cluster`;
export const CLOSED_KEY: Key = `${TABLE.properties}closed`;
export const HISTORY_KEY: Key = `${TABLE.properties}history`;
/** Metaservers that were added while the group ran: state/metaservers.ts. */
export const METASERVERS_KEY: Key = `${TABLE.properties}metaservers`;
export const MEDIATOR_KEY: Key = `${TABLE.properties}mediator`;

/** 8 bytes, big-endian, of a whole number from 0 to 2^53 - 1. */
export function numberToKey(value: number): Key {
  const high = Math.floor(value / 0x1_0000_0000);
  const low = value >>> 0;
  return String.fromCharCode(
    (high >>> 24) & 255,
    (high >>> 16) & 255,
    (high >>> 8) & 255,
    high & 255,
    low >>> 24,
    (low >>> 16) & 255,
    (low >>> 8) & 255,
    low & 255,
  );
}

/** The number whose 8 bytes stand at `position`. */
export function numberFromKey(key: Key, position: number): number {
  let value = 0;
  for (let at = position; at < position + 8; at++) value = value * 256 + key.charCodeAt(at);
  return value;
}

export const inodeKey = (inode: number): Key => TABLE.inodes + numberToKey(inode);
export const entryKey = (parent: number, name: string): Key => TABLE.entries + numberToKey(parent) + name;
export const cookieKey = (parent: number, cookie: number): Key =>
  TABLE.cookies + numberToKey(parent) + numberToKey(cookie);
export const blockKey = (inode: number, index: number): Key => TABLE.blocks + numberToKey(inode) + numberToKey(index);
export const linkKey = (inode: number, parent: number, name: string): Key =>
  TABLE.links + numberToKey(inode) + numberToKey(parent) + name;
export const xattrKey = (inode: number, name: string): Key => TABLE.xattrs + numberToKey(inode) + name;
export const garbageKey = (sequence: number): Key => TABLE.garbage + numberToKey(sequence);
export const orphanKey = (inode: number): Key => TABLE.orphans + numberToKey(inode);
export const serverKey = (server: string): Key => TABLE.servers + textToKey(server);
export const missingKey = (server: string): Key => TABLE.missing + textToKey(server);
export const resultKey = (client: string, slot: number): Key => resultsPrefix(client) + numberToKey(slot);
export const missedKey = (server: string, inode: number, index: number): Key =>
  missedPrefix(server) + numberToKey(inode) + numberToKey(index);

/** All rows of a table. */
export function wholeTable(table: TableName): KeyRange {
  const prefix = TABLE[table];
  return { from: prefix, to: String.fromCharCode(prefix.charCodeAt(0) + 1) };
}

/** All rows of a table whose first number is `owner`. */
export function rowsOf(table: TableName, owner: number): KeyRange {
  return { from: TABLE[table] + numberToKey(owner), to: TABLE[table] + numberToKey(owner + 1) };
}

/** The results kept for a client. */
export function resultsOf(client: string): KeyRange {
  const prefix = resultsPrefix(client);
  return { from: prefix, to: `${prefix}\u00ff` };
}

/** The client whose result has this key. */
export function clientFromKey(key: Key): string {
  return Buffer.from(key.slice(2, 2 + key.charCodeAt(1)), 'latin1').toString('utf8');
}

export function missedRange(server: string): KeyRange {
  const prefix = missedPrefix(server);
  return { from: prefix, to: `${prefix}\u00ff` };
}

/** The smallest key that is greater. */
export function justAfter(key: Key): Key {
  return `${key}\0`;
}

/** What follows the table's byte and `numbers` numbers. */
export function nameFromKey(key: Key, numbers: number): string {
  return key.slice(1 + 8 * numbers);
}

/** The text that `serverKey` and `missingKey` were made of. */
export function textFromKey(key: Key): string {
  return Buffer.from(key.slice(1), 'latin1').toString('utf8');
}

function textToKey(text: string): Key {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function missedPrefix(server: string): Key {
  return TABLE.missed + lengthAndText(server);
}

function resultsPrefix(client: string): Key {
  return TABLE.results + lengthAndText(client);
}

/** The length in front keeps the rows of one owner apart from those of another whose name starts with the same bytes. */
function lengthAndText(owner: string): Key {
  const name = textToKey(owner);
  return String.fromCharCode(name.length) + name;
}
