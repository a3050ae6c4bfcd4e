// Keys are UNIX paths: /a/b, without empty parts, without . and .., and without a slash at the end.
import { Buffer } from 'node:buffer';
import { CatalogError } from './errors.js';

export const ROOT = '/';
/** Of a path, in UTF-8: the same as the system's limit (PATH_MAX). */
const MAXIMUM_PATH_BYTES = 4096;

/** Throws CatalogError BAD_PATH for what is no path. */
export function checkPath(path: unknown): string {
  if (typeof path !== 'string') throw bad(String(path), 'it is no text');
  if (!path.startsWith('/')) throw bad(path, 'it does not start with /');
  if (path === ROOT) return path;
  if (/\p{Surrogate}/u.test(path)) throw bad(path, 'it has halves of characters');
  if (Buffer.byteLength(path) > MAXIMUM_PATH_BYTES) {
    throw bad(`${path.slice(0, 40)}…`, `it has more than ${MAXIMUM_PATH_BYTES} bytes`);
  }
  for (const part of path.slice(1).split('/')) {
    if (part === '') throw bad(path, 'it has an empty part');
    if (part === '.' || part === '..') throw bad(path, `${part} is no name`);
    if (part.includes('\0')) throw bad(path, 'it has a NUL character');
  }
  return path;
}

/** Of any path but the root. */
export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || ROOT;
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function childOf(parent: string, name: string): string {
  return parent === ROOT ? `/${name}` : `${parent}/${name}`;
}

function bad(path: string, why: string): CatalogError {
  return new CatalogError('BAD_PATH', `${JSON.stringify(path)} is no path: ${why}`);
}
