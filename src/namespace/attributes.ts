// The commands that change attributes: setattr, setxattr and removexattr.
// Who may do so is checked by the kernel (default_permissions), which knows
// the caller's groups; so is the loss of setuid and setgid when data is written.
import { Buffer } from 'node:buffer';
import { FileError } from '../protocol/errors.js';
import type { Commands } from '../protocol/services/metadata.js';
import { ACCESS_ACL, AccessList, DEFAULT_ACL, modeWith } from './acl.js';
import { MAXIMUM_XATTR_BYTES, MAXIMUM_XATTR_LIST_BYTES, MAXIMUM_XATTR_NAME_BYTES } from './limits.js';
import type { Draft } from './state/draft.js';
import { attributesOf, type InodeRow } from './state/inode-row.js';
import { rowsOf, xattrKey } from './state/keys.js';

const SETUID = 0o4000;
const SETGID = 0o2000;
const GROUP_EXECUTE = 0o010;

/**
 * chmod(2), chown(2), utimensat(2). A change of owner takes setuid away, and setgid where the group may execute, from all but
 * directories, whoever asks (POSIX chown leaves it open for the superuser; Linux does so), unless the request has a mode.
 */
export function setattr(draft: Draft, request: Commands['setattr']['request']): Commands['setattr']['result'] {
  const { accessed, ...changes } = request.changes;
  const row = draft.inode(request.inode);
  if (accessed === true) {
    draft.access(row);
    if (Object.keys(changes).length === 0) return { attributes: attributesOf(row) };
  }
  if (changes.uid !== undefined) row.uid = changes.uid;
  if (changes.gid !== undefined) row.gid = changes.gid;
  if (changes.mode !== undefined) {
    row.mode = changes.mode;
    adjustList(draft, row);
  } else if (changes.uid !== undefined || changes.gid !== undefined) row.mode = modeOfNewOwner(row);
  if (changes.accessTimeNs !== undefined) row.accessTimeNs = changes.accessTimeNs;
  if (changes.modifyTimeNs !== undefined) row.modifyTimeNs = changes.modifyTimeNs;
  draft.change(row);
  return { attributes: attributesOf(row) };
}

/** setxattr(2). */
export function setxattr(draft: Draft, request: Commands['setxattr']['request']): Commands['setxattr']['result'] {
  const { name, value, mode } = request;
  checkXattrName(name);
  if (value.length > MAXIMUM_XATTR_BYTES) {
    throw new FileError('E2BIG', `an extended attribute has at most ${MAXIMUM_XATTR_BYTES} bytes`);
  }
  const row = draft.inode(request.inode);
  if (name === DEFAULT_ACL) AccessList.parse(value);
  const isPlain = name === ACCESS_ACL && applyList(row, value, request.killSetgid === true);
  const key = xattrKey(row.inode, name);
  const isThere = row.xattrs > 0 && draft.view.get(key) !== undefined;
  if (isThere && mode === 'create') throw new FileError('EEXIST', `inode ${row.inode} has ${name} already`);
  if (!isThere && mode === 'replace') throw noXattr(row.inode, name);
  if (isPlain) {
    // The list says no more than the mode: nothing is stored.
    if (isThere) {
      draft.view.remove(key);
      row.xattrs--;
    }
    draft.change(row);
    return { attributes: attributesOf(row) };
  }
  if (!isThere) {
    checkListLength(draft, row, name);
    row.xattrs++;
  }
  // A copy: the request's bytes may be a view into a larger message.
  draft.view.put(key, Buffer.from(value));
  draft.change(row);
  return { attributes: attributesOf(row) };
}

/** removexattr(2). */
export function removexattr(
  draft: Draft,
  request: Commands['removexattr']['request'],
): Commands['removexattr']['result'] {
  checkXattrName(request.name);
  const row = draft.inode(request.inode);
  const key = xattrKey(row.inode, request.name);
  if (draft.view.get(key) === undefined) throw noXattr(row.inode, request.name);
  draft.view.remove(key);
  row.xattrs--;
  draft.change(row);
  return { attributes: attributesOf(row) };
}

/** ERANGE as Linux answers for a name that is empty or too long; EINVAL for one with a zero byte. */
export function checkXattrName(name: string): void {
  if (name === '' || name.length > MAXIMUM_XATTR_NAME_BYTES) {
    throw new FileError('ERANGE', `a name of an extended attribute has 1 to ${MAXIMUM_XATTR_NAME_BYTES} bytes`);
  }
  if (name.includes('\0')) throw new FileError('EINVAL', 'a name of an extended attribute has no zero byte');
}

export function noXattr(inode: number, name: string): FileError {
  return new FileError('ENODATA', `inode ${inode} has no extended attribute ${JSON.stringify(name)}`);
}

/** Called when the inode goes. */
export function dropXattrs(draft: Draft, row: InodeRow): void {
  if (row.xattrs === 0) return;
  const { from, to } = rowsOf('xattrs', row.inode);
  for (const { key } of draft.view.scan(from, to, Number.POSITIVE_INFINITY)) draft.view.remove(key);
  row.xattrs = 0;
}

/** Gives the mode the list's permissions; true when the list says no more than the mode. */
function applyList(row: InodeRow, value: Uint8Array, killSetgid: boolean): boolean {
  const list = AccessList.parse(value);
  row.mode = modeWith(row.mode, list);
  if (killSetgid) row.mode &= ~SETGID;
  return list.isPlain;
}

/** Gives the access control list the mode's permissions, after chmod(2). */
function adjustList(draft: Draft, row: InodeRow): void {
  if (row.xattrs === 0) return;
  const key = xattrKey(row.inode, ACCESS_ACL);
  const value = draft.view.get(key);
  if (value !== undefined) draft.view.put(key, AccessList.parse(value).withBits(row.mode).encode());
}

function checkListLength(draft: Draft, row: InodeRow, name: string): void {
  // Even names of full length would fit: most inodes need no scan.
  if ((row.xattrs + 1) * (MAXIMUM_XATTR_NAME_BYTES + 1) <= MAXIMUM_XATTR_LIST_BYTES) return;
  const { from, to } = rowsOf('xattrs', row.inode);
  let lengthBytes = name.length + 1;
  for (const { key } of draft.view.scan(from, to, Number.POSITIVE_INFINITY)) lengthBytes += key.length - 8;
  if (lengthBytes > MAXIMUM_XATTR_LIST_BYTES) {
    throw new FileError('ENOSPC', `inode ${row.inode} has ${row.xattrs} extended attributes: no room for more names`);
  }
}

function modeOfNewOwner(row: InodeRow): number {
  if (row.kind === 'directory') return row.mode;
  const lost = (row.mode & GROUP_EXECUTE) === 0 ? SETUID : SETUID | SETGID;
  return row.mode & ~lost;
}
