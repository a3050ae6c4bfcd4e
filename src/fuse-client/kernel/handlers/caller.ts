import type { Caller } from '../../../protocol/services/files.js';
import type { RequestHeader } from '../codec/request-types.js';

/** Whom new files belong to: of the header, no more than the service needs. */
export function callerOf({ uid, gid }: RequestHeader): Caller {
  return { uid, gid };
}
