// Checks of values from the network. Each throws MALFORMED and names what is
// wrong.
import { malformed } from '../protocol/errors.js';
import type { BlockKey, GetItem, PutItem } from '../protocol/services/blocks.js';
import { MAXIMUM_BLOCK_BYTES } from './limits.js';

/** Items of one request; no client sends as many. */
const MAXIMUM_ITEMS = 65_536;

export function checkItems<T>(items: readonly T[]): readonly T[] {
  if (!Array.isArray(items)) throw malformed('items must be an array');
  if (items.length > MAXIMUM_ITEMS) throw malformed(`more than ${MAXIMUM_ITEMS} items`);
  for (const item of items) if (typeof item !== 'object' || item === null) throw malformed('an item must be an object');
  return items;
}

/** Answers the key without the item's other fields. */
export function checkKey({ inode, index, version }: BlockKey): BlockKey {
  checkWhole('inode', inode, 0);
  checkWhole('index', index, 0);
  checkWhole('version', version, 1);
  return { inode, index, version };
}

/** A cursor is any place in the order of keys: its version may be 0, which no block has. */
export function checkCursor({ inode, index, version }: BlockKey): BlockKey {
  checkWhole('inode', inode, 0);
  checkWhole('index', index, 0);
  checkWhole('version', version, 0);
  return { inode, index, version };
}

export function checkPut(item: PutItem): void {
  checkKey(item);
  if ('data' in item) {
    checkBytes('data', item.data);
    checkLength(item.data.length);
    return;
  }
  checkWhole('base', item.base, 1);
  if (item.base === item.version) throw malformed('a version cannot be its own base');
  if (typeof item.baseHash !== 'bigint') throw malformed('baseHash must be a bigint');
  checkWhole('length', item.length, 0);
  checkLength(item.length);
  for (const write of checkItems(item.writes)) {
    checkWhole('offset', write.offset, 0);
    checkBytes('data', write.data);
    if (write.offset + write.data.length > item.length) throw malformed('a write ends behind the length');
  }
}

export function checkGet(item: GetItem): void {
  checkKey(item);
  checkWhole('offset', item.offset, 0);
  checkWhole('length', item.length, 0);
}

export function checkWhole(name: string, value: unknown, minimum: number): void {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < minimum) {
    throw malformed(`${name} must be a whole number from ${minimum} on, not ${String(value)}`);
  }
}

export function checkLength(bytes: number): void {
  if (bytes > MAXIMUM_BLOCK_BYTES) throw malformed(`a block has at most ${MAXIMUM_BLOCK_BYTES} bytes, not ${bytes}`);
}

function checkBytes(name: string, value: unknown): void {
  if (!(value instanceof Uint8Array)) throw malformed(`${name} must be bytes`);
}
