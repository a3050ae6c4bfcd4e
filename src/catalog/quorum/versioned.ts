// An entry of the quorum protocol: a path's value, or its removal, with the version that the client gave it.
import { createHash } from 'node:crypto';
import type { SpreadValue } from '../peers/local-view.js';

export interface Versioned extends SpreadValue {
  /** Of the content, in hexadecimal digits: it decides where two versions tie. */
  readonly digest: string;
}

/** A path; or server:NAME, whose value is its address. */
export type Key = string;

export interface KeyedEntry {
  readonly key: Key;
  readonly entry: Versioned;
}

/** About how many it takes. */
export function bytesOf({ key, entry }: KeyedEntry): number {
  return key.length + entry.bytes.length;
}

export function versioned(version: number, bytes: Uint8Array | null): Versioned {
  const hash = createHash('sha256').update(bytes === null ? 'removed' : 'value');
  const digest = hash
    .update(bytes ?? new Uint8Array())
    .digest('hex')
    .slice(0, DIGEST_DIGITS);
  return { version, bytes: bytes ?? new Uint8Array(), isRemoved: bytes === null, digest };
}

const DIGEST_DIGITS = 16;

/**
 * Whether `one` is the newer. Versions are seconds by somebody's clock: two that tie were accepted by different servers, and the greater
 * digest wins, on all servers alike.
 */
export function isNewer(one: Stamp, other: Stamp | undefined): boolean {
  if (other === undefined) return true;
  return one.version > other.version || (one.version === other.version && one.digest > other.digest);
}

/** What two entries of a path are compared by. */
export type Stamp = Pick<Versioned, 'version' | 'digest'>;

export function isSame(one: Stamp, other: Stamp | undefined): boolean {
  return one.version === other?.version && one.digest === other.digest;
}
