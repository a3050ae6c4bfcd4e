// What each request means: typed arguments to an operation, its result to the
// bytes of a reply. A handler returns its one reply or throws.
import { Buffer } from 'node:buffer';
import { FileError } from '../../../protocol/errors.js';
import type { RenameMode } from '../../../protocol/services/files.js';
import { refuseLists } from '../../operations/extended-attributes.js';
import type { AskedMode } from '../../posix/asked-mode.js';
import { kindOf } from '../../posix/file-modes.js';
import { bypassesPageCache } from '../../posix/open-flags.js';
import {
  OPEN_REPLY_CACHE_DIRECTORY,
  OPEN_REPLY_DIRECT_IO,
  OPEN_REPLY_KEEP_CACHE,
  WRITE_KILL_SUIDGID,
  WRITE_OF_PAGES,
} from '../codec/layout.js';
import {
  EMPTY_REPLY,
  encodeLock,
  encodeOffset,
  encodeOpen,
  encodeSize,
  encodeStatfs,
  type ReplyBody,
} from '../codec/replies.js';
import type { RequestHeader } from '../codec/request-types.js';
import { callerOf } from './caller.js';
import type { FileArguments, HandlerDependencies, RequestContext } from './handler-types.js';
import { attributes, entry, namedEntry } from './known-inode-replies.js';
import { readDirectory } from './read-directory.js';
import { setAttributes } from './set-attributes.js';

/** linux/fs.h, renameat2(2). */
const RENAME_MODES: ReadonlyMap<number, RenameMode> = new Map([
  [0, 'replace'],
  [1, 'no-replace'],
  [2, 'exchange'],
]);

/** May come with the first two of them. */
const RENAME_WHITEOUT = 1 << 2;

/** linux/xattr.h, setxattr(2). */
const ATTRIBUTE_MODES: ReadonlyMap<number, 'set' | 'create' | 'replace'> = new Map([
  [0, 'set'],
  [1, 'create'],
  [2, 'replace'],
]);

/** Answers one request: the body of its reply, or an error. */
export async function handle(
  header: RequestHeader,
  request: FileArguments,
  dependencies: HandlerDependencies,
  context: RequestContext,
): Promise<ReplyBody> {
  const { operations, places } = dependencies;
  const { inode } = header;
  switch (request.kind) {
    case 'lookup':
      return namedEntry(
        inode,
        request.name,
        places.renames,
        await operations.names.lookup(inode, request.name),
        dependencies,
      );
    case 'getattr':
      return attributes(await operations.attributes.get(inode), dependencies);
    case 'setattr':
      return attributes(await setAttributes(header, request, dependencies), dependencies);
    case 'readlink':
      return [Buffer.from(await operations.names.readlink(inode), 'latin1')];
    case 'symlink':
      return entry(await operations.names.symlink(inode, request.name, request.target, callerOf(header)), dependencies);
    case 'mknod': {
      const kind = kindOf(request.mode);
      if (kind === undefined) throw new FileError('EINVAL', `mode ${request.mode.toString(8)} has no known kind`);
      const node = { kind, mode: request.mode & 0o7777, umask: request.umask, device: request.device };
      return entry(await operations.names.mknod(inode, request.name, node, callerOf(header)), dependencies);
    }
    case 'mkdir':
      return namedEntry(
        inode,
        request.name,
        places.renames,
        await operations.names.mkdir(inode, request.name, asked(request), callerOf(header)),
        dependencies,
      );
    case 'unlink':
      await operations.names.unlink(inode, request.name);
      return EMPTY_REPLY;
    case 'rmdir':
      await operations.names.rmdir(inode, request.name);
      return EMPTY_REPLY;
    case 'rename': {
      const { flags, name, newParent, newName } = request;
      const mode = RENAME_MODES.get(flags & ~RENAME_WHITEOUT);
      if (mode === undefined) throw new FileError('EINVAL', `rename flags ${flags}`);
      const whiteout = (flags & RENAME_WHITEOUT) === 0 ? undefined : callerOf(header);
      const from = { parent: inode, name };
      const to = { parent: newParent, name: newName };
      await operations.names.rename(from, to, mode, whiteout);
      places.renamed(from, to, mode === 'exchange');
      return EMPTY_REPLY;
    }
    case 'link':
      return entry(await operations.names.link(request.source, inode, request.name), dependencies);
    case 'open': {
      const { flags, killPrivileges } = request;
      const { handle, attributes } = await operations.files.open(inode, flags, killPrivileges, () => context.signal());
      context.ifUndelivered(() => operations.files.release(handle));
      // Close-to-open: the size that another mount's writes have left is seen from this open on.
      if (dependencies.inodes.isOutdated(attributes)) dependencies.forgetAttributes(inode);
      return [encodeOpen(handle, openReplyFlags(flags))];
    }
    case 'create': {
      const { handle, attributes } = await operations.files.create(
        inode,
        request.name,
        asked(request),
        request.flags,
        callerOf(header),
      );
      context.ifUndelivered(() => operations.files.release(handle));
      return [...entry(attributes, dependencies), encodeOpen(handle, openReplyFlags(request.flags))];
    }
    case 'tmpfile': {
      const { handle, attributes } = await operations.files.createUnnamed(
        inode,
        asked(request),
        request.flags,
        callerOf(header),
      );
      context.ifUndelivered(() => operations.files.release(handle));
      return [...entry(attributes, dependencies), encodeOpen(handle, openReplyFlags(request.flags))];
    }
    case 'read':
      return operations.content.read(request.handle, request.offset, request.size, () => context.signal());
    case 'write': {
      const { handle, offset, data } = request;
      const traits = {
        ofPages: (request.writeFlags & WRITE_OF_PAGES) !== 0,
        killPrivileges: (request.writeFlags & WRITE_KILL_SUIDGID) !== 0,
      };
      await operations.content.write(handle, offset, data, traits, () => context.signal());
      return encodeSize(data.length);
    }
    case 'fallocate': {
      const { handle, offset, length, mode } = request;
      // The kernel leaves the set-id bits to us and does not say whether the caller may keep them.
      await operations.content.fallocate(handle, offset, length, mode, header.uid !== 0);
      return EMPTY_REPLY;
    }
    case 'copy': {
      if (request.flags !== 0) throw new FileError('EINVAL', `copy_file_range flags ${request.flags}`);
      // Fits the 64-bit opcode too: a count of 32 bits and 4 bytes of padding are one of 64 bits.
      return encodeSize(await operations.content.copy(request, header.uid !== 0, () => context.signal()));
    }
    case 'seek':
      if (request.what === 'unknown') throw new FileError('EINVAL', 'seeks neither data nor a hole');
      return encodeOffset(await operations.content.seek(request.handle, request.offset, request.what));
    case 'statfs':
      return encodeStatfs(await operations.statfs());
    case 'flush':
      await operations.files.flush(request.handle, request.lockOwner);
      return EMPTY_REPLY;
    case 'fsync':
      await operations.files.fsync(request.handle);
      return EMPTY_REPLY;
    case 'release':
      await operations.files.release(request.handle);
      return EMPTY_REPLY;
    case 'getlk': {
      const { lockKind: kind, owner, start, end, type, pid } = request;
      const conflict = await operations.locks.get({ inode, kind, owner, start, end, type: type ?? 'write', pid });
      return encodeLock(conflict);
    }
    case 'setlk': {
      const { handle, lockKind: kind, owner, start, end, type, pid, wait } = request;
      await operations.locks.set(handle, { kind, owner, start, end, type, pid }, wait, context.signal());
      return EMPTY_REPLY;
    }
    case 'opendir':
      return opendir(inode, dependencies, context);
    case 'readdir':
    case 'readdirplus':
      return readDirectory(inode, request, dependencies);
    case 'releasedir':
      operations.directories.release(request.handle);
      return EMPTY_REPLY;
    case 'fsyncdir':
      await operations.directories.fsync(request.handle);
      return EMPTY_REPLY;
    case 'setxattr': {
      const mode = ATTRIBUTE_MODES.get(request.flags);
      if (mode === undefined) throw new FileError('EINVAL', `setxattr flags ${request.flags}`);
      if (!dependencies.obeysLists) refuseLists(request.name);
      const { killSetgid } = request;
      await operations.extendedAttributes.set(inode, request.name, request.value, mode, killSetgid);
      return EMPTY_REPLY;
    }
    case 'getxattr':
      if (!dependencies.obeysLists) refuseLists(request.name);
      return sized(await operations.extendedAttributes.get(inode, request.name), request.size);
    case 'listxattr': {
      const names = await operations.extendedAttributes.list(inode);
      return sized(Buffer.from(names.map((name) => `${name}\0`).join(''), 'latin1'), request.size);
    }
    case 'removexattr':
      await operations.extendedAttributes.remove(inode, request.name);
      return EMPTY_REPLY;
  }
}

function asked({ mode, umask }: { mode: number; umask: number }): AskedMode {
  return { mode: mode & 0o7777, umask };
}

function opendir(inode: number, dependencies: HandlerDependencies, context: RequestContext): ReplyBody {
  const { operations, listed, clock } = dependencies;
  const handle = operations.directories.open(inode);
  context.ifUndelivered(async () => operations.directories.release(handle));
  const mayKeep = listed.mayKeep(inode, clock.monotonicMs(), operations.heardChanges);
  return [encodeOpen(handle, OPEN_REPLY_CACHE_DIRECTORY | (mayKeep ? OPEN_REPLY_KEEP_CACHE : 0))];
}

function openReplyFlags(flags: number): number {
  return bypassesPageCache(flags) ? OPEN_REPLY_DIRECT_IO : 0;
}

/** An extended attribute's bytes, or their number when the caller gave no room. */
function sized(value: Uint8Array, roomBytes: number): ReplyBody {
  if (roomBytes === 0) return encodeSize(value.length);
  if (value.length > roomBytes) throw new FileError('ERANGE', `${value.length} bytes don't fit ${roomBytes}`);
  return [value];
}
