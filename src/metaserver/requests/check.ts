// Checks of values from the network: each answers the value with its type, or
// throws MALFORMED and names the field.
import { Buffer } from 'node:buffer';
import { malformed } from '../../protocol/errors.js';
import type { BlockKey } from '../../protocol/services/blocks.js';
import type { Caller, FileKind } from '../../protocol/services/files.js';

/** Fields of a request by name, none of them checked yet. */
export type Fields = Readonly<Record<string, unknown>>;

/** The kernel's times: seconds within 64 bits, any sign, and nanoseconds. */
const MAXIMUM_TIME_NS = 2n ** 63n * 1_000_000_000n - 1n;
const MAXIMUM_HASH = 2n ** 64n - 1n;
const MAXIMUM_ID = 2 ** 32 - 1;
const MAXIMUM_MODE = 0o7777;

export function fields(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(`${what} is no object`);
  return value as Fields;
}

/** A whole number from `minimum` to `maximum`. */
export function whole(from: Fields, name: string, minimum: number, maximum = Number.MAX_SAFE_INTEGER): number {
  const value = from[name];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < minimum || value > maximum) {
    throw malformed(`${name} is no whole number from ${minimum} to ${maximum}`);
  }
  return value;
}

/** Below the maximum, so that the inode after it, which ends a range, is still an exact number. */
export function inode(from: Fields, name = 'inode'): number {
  return whole(from, name, 1, Number.MAX_SAFE_INTEGER - 1);
}

export function blockKey(value: unknown): BlockKey {
  const block = fields(value, 'a block');
  return { inode: inode(block), index: whole(block, 'index', 0), version: whole(block, 'version', 1) };
}

export function flag(from: Fields, name: string): boolean {
  const value = from[name];
  if (typeof value !== 'boolean') throw malformed(`${name} is no boolean`);
  return value;
}

/** Text of one character per byte; at most 64 KiB, further rules are the namespace's. */
export function bytesText(from: Fields, name: string): string {
  const value = from[name];
  if (typeof value !== 'string' || value.length > 65_536)
    throw malformed(`${name} is no string of at most 65536 bytes`);
  for (let at = 0; at < value.length; at++) {
    if (value.charCodeAt(at) > 255) throw malformed(`${name} has characters that are no bytes`);
  }
  return value;
}

/** Ordinary text of 1 to `maximumBytes` bytes in UTF-8. */
export function text(from: Fields, name: string, maximumBytes: number): string {
  return textValue(from[name], name, maximumBytes);
}

export function textValue(value: unknown, what: string, maximumBytes: number): string {
  if (typeof value !== 'string' || value === '' || Buffer.byteLength(value, 'utf8') > maximumBytes) {
    throw malformed(`${what} is no text of 1 to ${maximumBytes} bytes`);
  }
  return value;
}

export function choice<T extends string>(from: Fields, name: string, choices: readonly T[]): T {
  const value = from[name];
  const chosen = choices.find((candidate) => candidate === value);
  if (chosen === undefined) throw malformed(`${name} is none of ${choices.join(', ')}`);
  return chosen;
}

export function kind(from: Fields, name: string): FileKind {
  return choice<FileKind>(from, name, ['file', 'directory', 'symlink', 'fifo', 'socket', 'character', 'block']);
}

export function byteArray(from: Fields, name: string): Uint8Array {
  const value = from[name];
  if (!(value instanceof Uint8Array)) throw malformed(`${name} is no byte array`);
  return value;
}

/** Nanoseconds, any sign, as many as the kernel's times can say. */
export function timeNs(from: Fields, name: string): bigint {
  const value = from[name];
  if (typeof value !== 'bigint' || value > MAXIMUM_TIME_NS || value < -MAXIMUM_TIME_NS - 1n) {
    throw malformed(`${name} is no time in nanoseconds`);
  }
  return value;
}

export function hash(from: Fields, name: string): bigint {
  const value = from[name];
  if (typeof value !== 'bigint' || value < 0n || value > MAXIMUM_HASH) throw malformed(`${name} is no hash`);
  return value;
}

export function list<T>(from: Fields, name: string, maximum: number, item: (value: unknown) => T): T[] {
  const value = from[name];
  if (!Array.isArray(value) || value.length > maximum) throw malformed(`${name} is no list of at most ${maximum}`);
  return value.map((entry) => item(entry));
}

/** The field when it is there. */
export function optional<T>(from: Fields, name: string, check: (from: Fields, name: string) => T): T | undefined {
  return from[name] === undefined ? undefined : check(from, name);
}

export function userId(from: Fields, name: string): number {
  return whole(from, name, 0, MAXIMUM_ID);
}

export function mode(from: Fields, name: string): number {
  return whole(from, name, 0, MAXIMUM_MODE);
}

export function caller(from: Fields, name = 'caller'): Caller {
  const value = fields(from[name], name);
  return { uid: userId(value, 'uid'), gid: userId(value, 'gid') };
}
