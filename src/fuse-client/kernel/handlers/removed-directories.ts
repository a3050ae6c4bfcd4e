// Directories that were removed while the kernel still refers to them: they are
// open, or some process's working directory. Until the kernel forgets them they
// answer as those of Linux's own file systems do: empty, without links, with
// whatever attributes are set. Only this mount remembers them, as long as it
// lives; nobody can ask longer.
import { Buffer } from 'node:buffer';
import { FileError } from '../../../protocol/errors.js';
import type { Attributes } from '../../../protocol/services/files.js';
import { encodeAttributes } from '../codec/attribute-replies.js';
import { EMPTY_REPLY, type ReplyBody } from '../codec/replies.js';
import type { RequestHeader } from '../codec/request-types.js';
import type { FileArguments, HandlerDependencies } from './handler-types.js';
import { setattrChanges } from './set-attributes.js';

/**
 * What is answered to a request that failed because the directory that it is about is gone.
 * @throws the failure of every other request, or what the directory answers
 */
export function answerOfRemoved(
  { inode }: RequestHeader,
  request: FileArguments,
  { inodes, clock, attributeTimeoutMs }: HandlerDependencies,
  failure: unknown,
): ReplyBody {
  const last = inodes.lastOfDirectory(inode);
  if (last === undefined || !(failure instanceof FileError) || failure.code !== 'ENOENT') throw failure;
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
