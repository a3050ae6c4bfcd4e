// The commands that bring names into being: make and link.
import { FileError } from '../protocol/errors.js';
import type { Commands } from '../protocol/services/metadata.js';
import { addEntry, addLink, checkName } from './entries.js';
import { newInode } from './new-inode.js';
import { keepNameless } from './orphans.js';
import type { Draft } from './state/draft.js';
import { attributesOf, type InodeRow } from './state/inode-row.js';
import { orphanKey } from './state/keys.js';

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
