// Files of SurfStore and TritonTransfer in the map: each is a path below /files, and its value is the list of its blocks.
import { Buffer } from 'node:buffer';
import type { XmlRpcValue } from '../../protocol/http/xml-rpc.js';
import { CatalogError } from '../map/errors.js';
import { childOf } from '../map/paths.js';

export const FILES = '/files';

/** An element of a list of hashes: it comes back as it was given. */
export type Hash = string | number | Uint8Array;

/** Any name can be a part of a path: what can't stand there is written as %XX. */
export function pathOfFile(name: XmlRpcValue | undefined): string {
  if (typeof name !== 'string' || name === '')
    throw new CatalogError('BAD_REQUEST', 'a file name is a text that is not empty');
  const encoded = encodeURIComponent(name);
  return childOf(FILES, encoded === '.' || encoded === '..' ? encoded.replaceAll('.', '%2E') : encoded);
}

export function fileOfName(part: string): string {
  return decodeURIComponent(part);
}

export function hashesOf(value: XmlRpcValue | undefined): Hash[] {
  if (!Array.isArray(value)) throw new CatalogError('BAD_REQUEST', 'hashes are a list');
  return value.map((hash) => {
    if (typeof hash === 'string' || typeof hash === 'number' || hash instanceof Uint8Array) return hash;
    throw new CatalogError('BAD_REQUEST', 'a hash is a text, a number or base64');
  });
}

export function encodeHashes(hashes: readonly Hash[]): Uint8Array {
  const values = hashes.map((hash) =>
    hash instanceof Uint8Array ? { base64: Buffer.from(hash).toString('base64') } : hash,
  );
  return new TextEncoder().encode(JSON.stringify(values));
}

/** Throws CatalogError for a value that something else has put there. */
export function decodeHashes(bytes: Uint8Array): Hash[] {
  try {
    const values = JSON.parse(new TextDecoder().decode(bytes)) as (string | number | { base64: string })[];
    return values.map((value) => (typeof value === 'object' ? Buffer.from(value.base64, 'base64') : value));
  } catch {
    throw new CatalogError('BAD_REQUEST', 'what lies there is no list of hashes');
  }
}

/** A list of one 0 or "0". */
export function isDeleted(hashes: readonly Hash[]): boolean {
  return hashes.length === 1 && (hashes[0] === 0 || hashes[0] === '0');
}
