// Inodes without names: kept while a client has them open, then purged, a
// bounded number of blocks at a time. Their blocks become garbage.
import { Buffer } from 'node:buffer';
import { FileError } from '../protocol/errors.js';
import type { Commands } from '../protocol/services/metadata.js';
import { dropXattrs } from './attributes.js';
import { dropBlocks } from './block-map.js';
import { DROPPED_BLOCKS } from './limits.js';
import type { Draft } from './state/draft.js';
import type { InodeRow } from './state/inode-row.js';
import { orphanKey } from './state/keys.js';

const NO_VALUE = Buffer.alloc(0);
const WHOLE_FILE = { first: 0, end: Number.POSITIVE_INFINITY };

/** An inode has lost its last name: it is kept while it is held open, else removed at once, or bit by bit when it is large. */
export function dropNameless(draft: Draft, row: InodeRow, isHeld: boolean): void {
  if (!isHeld && row.children <= DROPPED_BLOCKS) {
    removeWhole(draft, row);
    return;
  }
  if (!isHeld) row.state = 'purging';
  keepNameless(draft, row);
}

/** Lists the inode as an orphan, to be purged later. */
export function keepNameless(draft: Draft, row: InodeRow): void {
  draft.view.put(orphanKey(row.inode), NO_VALUE);
}

/** An empty directory has lost its name. */
export function purgeDirectory(draft: Draft, row: InodeRow): void {
  dropXattrs(draft, row);
  draft.remove(row);
}

/** Purges an inode without names, or a part of it. From the first call on it is gone for all clients. EINVAL while it has a name. */
export function purge(draft: Draft, request: Commands['purge']['request']): Commands['purge']['result'] {
  const row = draft.find(request.inode);
  if (row === undefined) return { done: true };
  if (row.links > 0) throw new FileError('EINVAL', `inode ${row.inode} has ${row.links} links`);
  if (row.children <= DROPPED_BLOCKS) {
    draft.view.remove(orphanKey(row.inode));
    removeWhole(draft, row);
    return { done: true };
  }
  row.state = 'purging';
  dropBlocks(draft, row, WHOLE_FILE, DROPPED_BLOCKS);
  draft.change(row);
  return { done: false };
}

/** Of at most DROPPED_BLOCKS blocks. */
function removeWhole(draft: Draft, row: InodeRow): void {
  dropBlocks(draft, row, WHOLE_FILE, DROPPED_BLOCKS);
  dropXattrs(draft, row);
  draft.remove(row);
}
