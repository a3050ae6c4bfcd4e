// SETATTR: the one request behind chmod, chown, truncate and utimens.
import type { AttributeChanges, Attributes } from '../../../protocol/services/files.js';
import { SetattrFlag } from '../codec/layout.js';
import type { RequestHeader, SetattrArguments } from '../codec/request-types.js';
import { callerOf } from './caller.js';
import type { HandlerDependencies } from './handler-types.js';

export async function setAttributes(
  header: RequestHeader,
  request: SetattrArguments,
  { operations, clock }: HandlerDependencies,
): Promise<Attributes> {
  const has = (flag: number) => (request.valid & flag) !== 0;
  return operations.attributes.set(header.inode, setattrChanges(request, clock.nowNs()), callerOf(header), {
    killPrivileges: has(SetattrFlag.KILL_SUIDGID),
    ...(has(SetattrFlag.FH) ? { handle: request.handle } : {}),
  });
}

/** The attributes that the request sets; `nowNs` where it says that a time is now. */
export function setattrChanges(request: SetattrArguments, nowNs: bigint): AttributeChanges {
  const has = (flag: number) => (request.valid & flag) !== 0;
  const changes: AttributeChanges = {};
  if (has(SetattrFlag.MODE)) changes.mode = request.mode & 0o7777;
  if (has(SetattrFlag.UID)) changes.uid = request.uid;
  if (has(SetattrFlag.GID)) changes.gid = request.gid;
  if (has(SetattrFlag.SIZE)) changes.sizeBytes = request.sizeBytes;
  if (has(SetattrFlag.ATIME)) changes.accessTimeNs = has(SetattrFlag.ATIME_NOW) ? nowNs : request.accessTimeNs;
  if (has(SetattrFlag.MTIME)) changes.modifyTimeNs = has(SetattrFlag.MTIME_NOW) ? nowNs : request.modifyTimeNs;
  return changes;
}
