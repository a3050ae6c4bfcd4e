// rename(2) and renameat2(2) with RENAME_NOREPLACE, RENAME_EXCHANGE and RENAME_WHITEOUT.
import { FileError } from '../protocol/errors.js';
import { type Caller, ROOT_INODE } from '../protocol/services/files.js';
import type { Commands } from '../protocol/services/metadata.js';
import { addEntry, addLink, checkName, expectEntry, removeEntry, replaceEntry } from './entries.js';
import { newInode } from './new-inode.js';
import type { Draft } from './state/draft.js';
import type { EntryRow } from './state/entry-rows.js';
import type { InodeRow } from './state/inode-row.js';
import { checkEmpty, loseLink, loseSubdirectory } from './unlink.js';

/** Where a name stands. */
interface Place {
  parent: InodeRow;
  name: string;
}

type Request = Commands['rename']['request'];

export function rename(draft: Draft, request: Request): Commands['rename']['result'] {
  checkName(request.name);
  checkName(request.newName);
  if (request.mode === 'exchange' && request.whiteout !== undefined) {
    throw new FileError('EINVAL', 'an exchange leaves no place for a whiteout');
  }
  const from: Place = { parent: draft.directory(request.parent), name: request.name };
  const to: Place = { parent: draft.directory(request.newParent), name: request.newName };
  const entry = expectEntry(draft, from.parent, from.name);
  const target = draft.tables.entry(to.parent.inode, to.name);
  switch (request.mode) {
    case 'exchange':
      if (target === undefined)
        throw new FileError('ENOENT', `there is no ${JSON.stringify(to.name)} to exchange with`);
      exchange(draft, from, entry, to, target);
      return { changed: draft.changedAttributes() };
    case 'no-replace':
      if (target !== undefined) throw new FileError('EEXIST', `${JSON.stringify(to.name)} is there already`);
      return move(draft, from, entry, to, undefined, request);
    case 'replace':
      return move(draft, from, entry, to, target, request);
  }
}

/** Positional arguments, since this is on the way of every rename. */
function move(
  draft: Draft,
  from: Place,
  entry: EntryRow,
  to: Place,
  target: EntryRow | undefined,
  request: Request,
): Commands['rename']['result'] {
  // POSIX: two names of one file both stay.
  if (target?.inode === entry.inode) return { changed: [] };
  const row = draft.inode(entry.inode);
  const replaced = target === undefined ? undefined : draft.inode(target.inode);
  if (row.kind === 'directory') checkNotInside(draft, row, to.parent);
  if (replaced !== undefined) checkReplaceable(row, replaced);
  const movesParent = row.kind === 'directory' && from.parent !== to.parent;

  const whiteout =
    request.whiteout === undefined ? undefined : newWhiteout(draft, from.parent, request.whiteout, request);
  if (whiteout === undefined) removeEntry(draft, from.parent, from.name, entry);
  else replaceEntry(draft, from.parent, from.name, entry, whiteout);
  if (target === undefined || replaced === undefined) {
    addEntry(draft, to.parent, to.name, row);
  } else {
    replaceEntry(draft, to.parent, to.name, target, row);
    if (replaced.kind === 'directory') loseSubdirectory(draft, to.parent, replaced);
    else loseLink(draft, replaced, request.held);
  }
  if (movesParent) {
    moveLink(draft, from.parent, to.parent);
    row.parent = to.parent.inode;
  }
  draft.change(row);
  const changed = draft.changedAttributes();
  if (whiteout === undefined) return replaced === undefined ? { changed } : { replaced: replaced.inode, changed };
  return { ...(replaced === undefined ? {} : { replaced: replaced.inode }), whiteout: whiteout.inode, changed };
}

/** A whiteout, which overlayfs reads as a removed name: see Linux's linux/fs.h, WHITEOUT_DEV and WHITEOUT_MODE. */
function newWhiteout(draft: Draft, parent: InodeRow, caller: Caller, { inode }: Request): InodeRow {
  const { blockSizeBytes } = parent;
  const row = newInode(draft, parent, {
    kind: 'character',
    mode: 0,
    caller,
    device: 0,
    target: '',
    blockSizeBytes,
    inode,
  });
  draft.add(row);
  return row;
}

function exchange(draft: Draft, from: Place, entry: EntryRow, to: Place, target: EntryRow): void {
  if (target.inode === entry.inode) return;
  const row = draft.inode(entry.inode);
  const other = draft.inode(target.inode);
  if (row.kind === 'directory') checkNotInside(draft, row, to.parent);
  if (other.kind === 'directory') checkNotInside(draft, other, from.parent);
  replaceEntry(draft, to.parent, to.name, target, row);
  replaceEntry(draft, from.parent, from.name, entry, other);
  if (from.parent !== to.parent) {
    if (row.kind === 'directory') row.parent = to.parent.inode;
    if (other.kind === 'directory') other.parent = from.parent.inode;
    // When both are directories, the link counts of the parents stay.
    if (row.kind === 'directory' && other.kind !== 'directory') moveLink(draft, from.parent, to.parent);
    if (row.kind !== 'directory' && other.kind === 'directory') moveLink(draft, to.parent, from.parent);
  }
  draft.change(row);
  draft.change(other);
}

/** Moves the link that a subdirectory's `..` is to its new parent. */
function moveLink(draft: Draft, from: InodeRow, to: InodeRow): void {
  addLink(draft, to);
  from.links--;
}

function checkReplaceable(row: InodeRow, replaced: InodeRow): void {
  if (row.kind === 'directory') {
    if (replaced.kind !== 'directory') throw new FileError('ENOTDIR', 'a directory replaces only a directory');
    checkEmpty(replaced);
  } else if (replaced.kind === 'directory') {
    throw new FileError('EISDIR', 'only a directory replaces a directory');
  }
}

/** EINVAL when `parent` is the directory itself or lies below it: the tree would get a loop. */
function checkNotInside(draft: Draft, directory: InodeRow, parent: InodeRow): void {
  for (let above = parent; ; above = draft.directory(above.parent)) {
    if (above.inode === directory.inode) {
      throw new FileError('EINVAL', `directory ${directory.inode} can't be moved into itself`);
    }
    if (above.inode === ROOT_INODE) return;
  }
}
