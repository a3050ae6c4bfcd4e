// The commands that bring names into being: make and link.
import { Buffer } from 'node:buffer';
import { FileError } from '../../protocol/errors.js';
import type { Commands } from '../../protocol/services/metadata.js';
import type { Draft } from '../state/draft.js';
import { orphanKey, xattrKey } from '../state/keys.js';
import { attributesOf, type InodeRow } from '../state/rows.js';
import { ACCESS_ACL, DEFAULT_ACL, inherited } from './acl.js';
import { addEntry, addLink, checkName } from './entries.js';
import { FIRST_COOKIE } from './limits.js';
import { keepNameless } from './orphans.js';

const SETGID = 0o2000;

/** A new inode under a name; open(2) with O_CREAT, mkdir(2), mknod(2), symlink(2). The kernel has applied the umask. */
export function make(draft: Draft, request: Commands['make']['request']): Commands['make']['result'] {
  const { parent: parentInode, name, kind } = request;
  checkName(name);
  const parent = draft.directory(parentInode);
  const existing = draft.tables.entry(parentInode, name);
  if (existing !== undefined) {
    if (kind === 'file' && !request.exclusive) {
      if (existing.kind === 'file') {
        return { attributes: attributesOf(draft.inode(existing.inode)), created: false, changed: [] };
      }
      if (existing.kind === 'directory') throw new FileError('EISDIR', `${JSON.stringify(name)} is a directory`);
    }
    throw new FileError('EEXIST', `directory ${parentInode} has ${JSON.stringify(name)} already`);
  }
  if (kind === 'symlink' && request.target === '') throw new FileError('ENOENT', 'a symbolic link needs a target');
  const row = newInode(draft, parent, request);
  if (kind === 'directory') addLink(draft, parent);
  draft.add(row);
  addEntry(draft, parent, name, row);
  return { attributes: attributesOf(row), created: true, changed: draft.changedAttributes() };
}

/** A new file without a name; open(2) with O_TMPFILE. */
export function makeUnnamed(
  draft: Draft,
  request: Commands['makeUnnamed']['request'],
): Commands['makeUnnamed']['result'] {
  const parent = draft.directory(request.parent);
  const made = newInode(draft, parent, { ...request, kind: 'file', device: 0, target: '' });
  const row: InodeRow = { ...made, links: 0, state: 'unnamed' };
  draft.add(row);
  keepNameless(draft, row);
  return { attributes: attributesOf(row) };
}

/** A further name for an inode that is no directory; link(2). */
export function link(draft: Draft, request: Commands['link']['request']): Commands['link']['result'] {
  checkName(request.name);
  const row = draft.inode(request.inode);
  if (row.kind === 'directory') throw new FileError('EPERM', 'directories have one name only');
  const parent = draft.directory(request.parent);
  if (draft.tables.entry(parent.inode, request.name) !== undefined) {
    throw new FileError('EEXIST', `directory ${parent.inode} has ${JSON.stringify(request.name)} already`);
  }
  // What lost its last name is on its way out, though a client may have it open still.
  if (row.links === 0 && row.state !== 'unnamed') {
    throw new FileError('ENOENT', `inode ${row.inode} has no name any more`);
  }
  if (row.state === 'unnamed') {
    row.state = 'named';
    draft.view.remove(orphanKey(row.inode));
  }
  addLink(draft, row);
  addEntry(draft, parent, request.name, row);
  return { attributes: attributesOf(row), changed: draft.changedAttributes() };
}

/**
 * An inode that is not in the draft yet, with the access control lists that it inherits. In a directory with the setgid bit,
 * what is made belongs to its group, and directories inherit the bit.
 */
export function newInode(
  draft: Draft,
  parent: InodeRow,
  request: Omit<Commands['make']['request'], 'parent' | 'name' | 'exclusive'>,
): InodeRow {
  const { kind, caller } = request;
  const inherits = (parent.mode & SETGID) !== 0;
  const isDirectory = kind === 'directory';
  const inode = request.inode === undefined ? draft.counters.nextInode++ : lostNumber(draft, request.inode);
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

/** A number that was given out before a crash and names nothing since: an unclean start leaves such numbers below nextInode. */
function lostNumber(draft: Draft, inode: number): number {
  if (inode >= draft.counters.nextInode) throw new FileError('EINVAL', `inode number ${inode} was never given out`);
  if (draft.find(inode) !== undefined) throw new FileError('EINVAL', `inode number ${inode} is in use`);
  return inode;
}

/** The mode of what is made in a directory, and the access control lists that it gets from there. */
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
