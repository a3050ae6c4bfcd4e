// Names in directories: rules for a name, and the three rows of each (by name,
// by cookie, by inode), which always change together.
import { Buffer } from 'node:buffer';
import { FileError } from '../protocol/errors.js';
import { type FileKind, MAXIMUM_NAME_BYTES } from '../protocol/services/files.js';
import { MAXIMUM_LINKS } from './limits.js';
import type { Draft } from './state/draft.js';
import { type EntryRow, encodeCookie, encodeEntry } from './state/entry-rows.js';
import type { InodeRow } from './state/inode-row.js';
import { cookieKey, entryKey, linkKey } from './state/keys.js';

const NO_VALUE = Buffer.alloc(0);

/** Throws ENAMETOOLONG, or EINVAL for a name that no entry of a directory can have. */
export function checkName(name: string): void {
  if (name.length > MAXIMUM_NAME_BYTES) {
    throw new FileError('ENAMETOOLONG', `a name has at most ${MAXIMUM_NAME_BYTES} bytes, this one ${name.length}`);
  }
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) {
    throw new FileError('EINVAL', `${JSON.stringify(name)} can't be the name of a file`);
  }
}

/** The entry under a name; ENOENT when there is none. */
export function expectEntry(draft: Draft, parent: InodeRow, name: string): EntryRow {
  const entry = draft.tables.entry(parent.inode, name);
  if (entry === undefined) throw new FileError('ENOENT', `directory ${parent.inode} has no ${JSON.stringify(name)}`);
  return entry;
}

/** Gives `child` a new name, which must be free, at the end of the parent's listing. */
export function addEntry(draft: Draft, parent: InodeRow, name: string, child: InodeRow): void {
  const cookie = parent.nextCookie++;
  putRows(draft, parent, name, cookie, child);
  parent.children++;
  draft.changeContent(parent);
}

/** Points an existing name to another inode; its place in the listing stays. */
export function replaceEntry(draft: Draft, parent: InodeRow, name: string, old: EntryRow, child: InodeRow): void {
  draft.view.remove(linkKey(old.inode, parent.inode, name));
  putRows(draft, parent, name, old.cookie, child);
  draft.changeContent(parent);
}

export function removeEntry(draft: Draft, parent: InodeRow, name: string, entry: EntryRow): void {
  draft.view.remove(entryKey(parent.inode, name));
  draft.view.remove(cookieKey(parent.inode, entry.cookie));
  draft.view.remove(linkKey(entry.inode, parent.inode, name));
  parent.children--;
  draft.changeContent(parent);
}

/** One more link to a file, or one more subdirectory's `..` to a directory; EMLINK at the limit. */
export function addLink(draft: Draft, row: InodeRow): void {
  if (row.links >= MAXIMUM_LINKS) throw new FileError('EMLINK', `inode ${row.inode} has ${row.links} links`);
  row.links++;
  draft.change(row);
}

function putRows(draft: Draft, parent: InodeRow, name: string, cookie: number, child: InodeRow): void {
  const { inode } = child;
  const kind: FileKind = child.kind;
  draft.view.put(entryKey(parent.inode, name), encodeEntry({ inode, kind, cookie }));
  draft.view.put(cookieKey(parent.inode, cookie), encodeCookie({ inode, kind, name }));
  draft.view.put(linkKey(inode, parent.inode, name), NO_VALUE);
}
