// LMDB's errors have a number as their code, the system's or one of its own,
// where Node's errors have a name.
import { constants } from 'node:os';
import { messageOf } from '../../runtime/caught-errors.js';

/** lmdb.h: the map of the database can't grow any more. */
const MDB_MAP_FULL = -30_792;
/** lmdb.h: a write of the meta page has failed; nothing works until the database is reopened. */
const MDB_PANIC = -30_795;

const NAMES: ReadonlyMap<number, string> = new Map([
  [constants.errno.ENOSPC, 'ENOSPC'],
  [constants.errno.EDQUOT, 'EDQUOT'],
  [MDB_MAP_FULL, 'ENOSPC'],
  [constants.errno.EIO, 'EIO'],
  // os.constants has no EROFS.
  [30, 'EROFS'],
]);

/** Whether the database must be reopened before it can be used. */
export function isUnusable(error: unknown): boolean {
  return codeOf(error) === MDB_PANIC;
}

/** The same error with the name of a system error as its code, where there is one. */
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
