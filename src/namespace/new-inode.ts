// The row of an inode that is made in a directory: what it inherits from there,
// and its number.
import { Buffer } from 'node:buffer';
import { FileError } from '../protocol/errors.js';
import type { Commands } from '../protocol/services/metadata.js';
import { ACCESS_ACL, DEFAULT_ACL, inherited } from './acl.js';
import { FIRST_COOKIE } from './limits.js';
import type { Draft } from './state/draft.js';
import type { InodeRow } from './state/inode-row.js';
import { xattrKey } from './state/keys.js';

const SETGID = 0o2000;

/**
 * The row of a new inode, which the caller adds to the draft; its access control lists are stored already. In a directory with
 * the setgid bit, it gets the directory's group, and a new directory gets the bit too.
 */
export function newInode(
  draft: Draft,
  parent: InodeRow,
  request: Omit<Commands['make']['request'], 'parent' | 'name' | 'exclusive'>,
): InodeRow {
  const { kind, caller } = request;
  const inherits = (parent.mode & SETGID) !== 0;
  const isDirectory = kind === 'directory';
  const inode = request.inode === undefined ? draft.counters.nextInode++ : givenNumber(draft, request.inode);
  const { mode, lists } = permissions(draft, parent, request);
  for (const [name, value] of lists) draft.view.put(xattrKey(inode, name), value);
  const target = kind === 'symlink' ? request.target : '';
  return {
    inode,
    kind,
    mode: isDirectory && inherits ? mode | SETGID : mode,
    links: isDirectory ? 2 : 1,
    uid: caller.uid,
    gid: inherits ? parent.gid : caller.gid,
    sizeBytes: target.length,
    allocatedBytes: 0,
    accessTimeNs: draft.timeNs,
    modifyTimeNs: draft.timeNs,
    changeTimeNs: draft.timeNs,
    device: kind === 'character' || kind === 'block' ? request.device : 0,
    blockSizeBytes: request.blockSizeBytes,
    revision: 1,
    state: 'named',
    parent: isDirectory ? parent.inode : 0,
    children: 0,
    nextCookie: isDirectory ? FIRST_COOKIE : 0,
    xattrs: lists.size,
    target,
  };
}

/** Gives out `count` inode numbers, from `first` on, that nobody else gets. */
export function reserveInodes(
  draft: Draft,
  { count }: Commands['reserveInodes']['request'],
): Commands['reserveInodes']['result'] {
  const first = draft.counters.nextInode;
  draft.counters.nextInode += count;
  return { first };
}

/**
 * A number that was given out before: it was reserved, or a crash has lost its inode. An unclean start leaves such numbers free
 * below nextInode.
 */
function givenNumber(draft: Draft, inode: number): number {
  if (inode >= draft.counters.nextInode) throw new FileError('EINVAL', `inode number ${inode} was never given out`);
  if (draft.find(inode) !== undefined) throw new FileError('EINVAL', `inode number ${inode} is in use`);
  return inode;
}

/** The mode of a new inode, and the access control lists that it inherits from its directory. */
function permissions(
  draft: Draft,
  parent: InodeRow,
  { kind, mode, umask = 0 }: Pick<Commands['make']['request'], 'kind' | 'mode' | 'umask'>,
): { mode: number; lists: Map<string, Uint8Array> } {
  const lists = new Map<string, Uint8Array>();
  if (kind === 'symlink') return { mode, lists };
  const defaults = parent.xattrs === 0 ? undefined : draft.view.get(xattrKey(parent.inode, DEFAULT_ACL));
  const { mode: allowed, access } = inherited(mode, umask, defaults);
  if (access !== undefined) lists.set(ACCESS_ACL, access);
  if (kind === 'directory' && defaults !== undefined) lists.set(DEFAULT_ACL, Buffer.from(defaults));
  return { mode: allowed, lists };
}
