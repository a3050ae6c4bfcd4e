// Inodes that are gone while the kernel still refers to them. A directory is open, or some process's working directory: until the
// kernel forgets it, it answers as those of Linux's own file systems do: empty, without links, with whatever attributes are set.
// Only this mount remembers it, as long as it lives; nobody can ask longer. Anything else was replaced or removed by another mount
// after the kernel had looked up its name.
import { Buffer } from 'node:buffer';
import { FileError } from '../../../protocol/errors.js';
import type { Attributes } from '../../../protocol/services/files.js';
import { encodeAttributes } from '../codec/attribute-replies.js';
import { EMPTY_REPLY, type ReplyBody } from '../codec/replies.js';
import type { RequestHeader } from '../codec/request-types.js';
import type { FileArguments, HandlerDependencies } from './handler-types.js';
import { setattrChanges } from './set-attributes.js';

/** What a path leads to: on ESTALE the kernel walks the path anew, and finds what is in the file's place now. */
const BY_PATH: ReadonlySet<FileArguments['kind']> = new Set([
  ...(['getattr', 'setattr', 'readlink', 'open', 'link'] as const),
  ...(['setxattr', 'getxattr', 'listxattr', 'removexattr'] as const),
]);

/**
 * What is answered to a request that failed because the inode that it is about is gone.
 * @throws the failure of every other request, or what is answered for the inode
 */
export function answerOfGone(
  { inode }: RequestHeader,
  request: FileArguments,
  { inodes, clock, attributeTimeoutMs }: HandlerDependencies,
  failure: unknown,
): ReplyBody {
  if (!(failure instanceof FileError) || failure.code !== 'ENOENT') throw failure;
  const last = inodes.lastOfDirectory(inode);
  if (last === undefined) {
    throw BY_PATH.has(request.kind) ? new FileError('ESTALE', `inode ${inode} is gone`) : failure;
  }
  const answer = (attributes: Attributes) => {
    inodes.update(attributes);
    return encodeAttributes(attributes, attributeTimeoutMs);
  };
  const removed = { ...last, links: 0 };
  switch (request.kind) {
    case 'getattr':
      return answer(removed);
    case 'setattr': {
      const nowNs = clock.nowNs();
      const { mode, uid, gid, accessTimeNs, modifyTimeNs } = { ...removed, ...setattrChanges(request, nowNs) };
      return answer({ ...removed, mode, uid, gid, accessTimeNs, modifyTimeNs, changeTimeNs: nowNs });
    }
    case 'readdir':
    case 'readdirplus':
      return [Buffer.alloc(0)];
    case 'listxattr':
      return EMPTY_REPLY;
    case 'getxattr':
    case 'removexattr':
      throw new FileError('ENODATA', `directory ${inode} is gone, and its extended attributes with it`);
    default:
      throw failure;
  }
}
