// LMDB's errors carry the system's bare number, or one of its own, where
// everybody else looks for a name.
import { constants } from 'node:os';
import { messageOf } from '../../runtime/caught-errors.js';

/** lmdb.h: the map of the database can't grow any more. */
const MDB_MAP_FULL = -30_792;
/** lmdb.h: a write of the page that says where everything is has failed; nothing is read or written until it is opened anew. */
const MDB_PANIC = -30_795;

const NAMES: ReadonlyMap<number, string> = new Map([
  [constants.errno.ENOSPC, 'ENOSPC'],
  [constants.errno.EDQUOT, 'EDQUOT'],
  [MDB_MAP_FULL, 'ENOSPC'],
  [constants.errno.EIO, 'EIO'],
  // Node has no name for its number.
  [30, 'EROFS'],
]);

/** Whether the database must be opened anew before it takes anything. */
export function isUnusable(error: unknown): boolean {
  return codeOf(error) === MDB_PANIC;
}

/** The error with a system error's name as its code. */
export function asDiskError(error: unknown): Error {
  const code = codeOf(error);
  const name = typeof code === 'number' ? NAMES.get(code) : undefined;
  const message = messageOf(error);
  if (name === undefined) return error instanceof Error ? error : new Error(message);
  return Object.assign(new Error(`${name}: ${message}`, { cause: error }), { code: name });
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
