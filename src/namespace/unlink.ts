// The commands that take names away: unlink and rmdir.
import { FileError } from '../protocol/errors.js';
import { ROOT_INODE } from '../protocol/services/files.js';
import type { Commands } from '../protocol/services/metadata.js';
import { checkName, expectEntry, removeEntry } from './entries.js';
import { dropNameless, purgeDirectory } from './orphans.js';
import type { Draft } from './state/draft.js';
import type { InodeRow } from './state/inode-row.js';

/** unlink(2). */
export function unlink(draft: Draft, request: Commands['unlink']['request']): Commands['unlink']['result'] {
  checkName(request.name);
  const parent = draft.directory(request.parent);
  const entry = expectEntry(draft, parent, request.name);
  if (entry.kind === 'directory') throw new FileError('EISDIR', `${JSON.stringify(request.name)} is a directory`);
  const row = draft.inode(entry.inode);
  removeEntry(draft, parent, request.name, entry);
  const links = loseLink(draft, row, request.held);
  return { inode: row.inode, links, changed: draft.changedAttributes() };
}

/** rmdir(2). */
export function rmdir(draft: Draft, request: Commands['rmdir']['request']): Commands['rmdir']['result'] {
  checkName(request.name);
  const parent = draft.directory(request.parent);
  const entry = expectEntry(draft, parent, request.name);
  if (entry.kind !== 'directory') throw new FileError('ENOTDIR', `${JSON.stringify(request.name)} is no directory`);
  const row = draft.directory(entry.inode);
  checkEmpty(row);
  removeEntry(draft, parent, request.name, entry);
  loseSubdirectory(draft, parent, row);
  return { inode: row.inode, changed: draft.changedAttributes() };
}

/** ENOTEMPTY unless the directory has no entries; EBUSY for the root, which nothing may replace. */
export function checkEmpty(row: InodeRow): void {
  if (row.inode === ROOT_INODE) throw new FileError('EBUSY', 'the root stays');
  if (row.children > 0) throw new FileError('ENOTEMPTY', `directory ${row.inode} has ${row.children} entries`);
}

/** Takes a link from an inode that is no directory. Without links it is removed, or kept while it is held open. Answers the links left. */
export function loseLink(draft: Draft, row: InodeRow, held: readonly number[]): number {
  row.links--;
  draft.change(row);
  if (row.links === 0) dropNameless(draft, row, held.includes(row.inode));
  return row.links;
}

/** Removes an empty directory whose entry is gone, and the link of its `..` to the parent. */
export function loseSubdirectory(draft: Draft, parent: InodeRow, row: InodeRow): void {
  parent.links--;
  draft.change(parent);
  purgeDirectory(draft, row);
}
