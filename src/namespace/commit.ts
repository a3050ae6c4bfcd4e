// The command commit: compare-and-set on the block map of one file, together
// with its size and times. Readers see all new blocks or none. The mode stays:
// when a write must clear setuid and setgid, the kernel sends a setattr.
import { FileError } from '../protocol/errors.js';
import { MAXIMUM_FILE_BYTES } from '../protocol/services/files.js';
import type { BlockChange, BlockRange, BlockReference, Commands } from '../protocol/services/metadata.js';
import { behind, countDropped, dropBlock, dropBlocks, expectFile, putBlock } from './block-map.js';
import { DROPPED_BLOCKS } from './limits.js';
import { setMissed } from './missed.js';
import type { Draft } from './state/draft.js';
import { attributesOf, type InodeRow } from './state/inode-row.js';

/** Bases are compared with the block map as it is before `truncateTo` cuts it and `hole` is punched. */
export function commit(draft: Draft, request: Commands['commit']['request']): Commands['commit']['result'] {
  const row = expectFile(draft, request.inode);
  checkBounds(row, request);
  const { retiredBelow } = draft.counters;
  if (request.changes.some(({ next }) => next !== null && next.version < retiredBelow)) {
    return { state: 'retired', below: retiredBelow };
  }
  const current = currentEntries(draft, row, request.changes);
  if (request.changes.some((change) => change.base !== (current.get(change.index)?.version ?? 0))) {
    return { state: 'conflict', blocks: [...current.values()].sort((a, b) => a.index - b.index) };
  }
  if (row.children > DROPPED_BLOCKS && countDropped(draft, row, request, DROPPED_BLOCKS + 1) > DROPPED_BLOCKS) {
    return { state: 'large', attributes: attributesOf(row) };
  }
  if (request.truncateTo !== null) truncate(draft, row, request.truncateTo, current);
  if (request.hole !== undefined) drop(draft, row, request.hole, current);
  for (const { index, next } of request.changes) {
    const before = current.get(index);
    if (next !== null) {
      putBlock(draft, row, before, { index, version: next.version, hash: next.hash, length: next.length });
      setMissed(draft, row.inode, index, next.version, request.missing);
    } else if (before !== undefined) {
      dropBlock(draft, row, before);
    }
  }
  row.sizeBytes = Math.max(row.sizeBytes, request.minimumSizeBytes);
  draft.write(row, request.modifyTimeNs);
  return { state: 'committed', attributes: attributesOf(row) };
}

/** The entries of the map at the indexes of `changes`. */
function currentEntries(draft: Draft, row: InodeRow, changes: readonly BlockChange[]): Map<number, BlockReference> {
  const current = new Map<number, BlockReference>();
  if (row.children === 0) return current;
  for (const { index } of changes) {
    const block = draft.tables.block(row.inode, index);
    if (block !== undefined) current.set(index, block);
  }
  return current;
}

/** The block in which the new size lies stays: its bytes behind the size are not read, and `changes` usually replaces it. */
function truncate(draft: Draft, row: InodeRow, sizeBytes: number, current: Map<number, BlockReference>): void {
  // There may be entries behind the old size too, put by an earlier commit.
  drop(draft, row, behind(row, sizeBytes), current);
  row.sizeBytes = sizeBytes;
}

/** Drops whole blocks whatever their versions are: a writer that replaces all of a block need not know what was there. */
function drop(draft: Draft, row: InodeRow, range: BlockRange, current: Map<number, BlockReference>): void {
  const { first, end } = range;
  dropBlocks(draft, row, range, DROPPED_BLOCKS);
  for (const index of current.keys()) if (index >= first && index < end) current.delete(index);
}

function checkBounds(row: InodeRow, { changes, truncateTo, minimumSizeBytes }: Commands['commit']['request']): void {
  const indexes = new Set<number>();
  let endBytes = Math.max(truncateTo ?? 0, minimumSizeBytes);
  for (const { index, next } of changes) {
    if (indexes.has(index)) throw new FileError('EINVAL', `block ${index} is changed twice in one commit`);
    indexes.add(index);
    if (next === null) continue;
    if (next.length > row.blockSizeBytes) {
      throw new FileError('EINVAL', `block ${index} has ${next.length} bytes where ${row.blockSizeBytes} fit`);
    }
    endBytes = Math.max(endBytes, index * row.blockSizeBytes + next.length);
  }
  if (endBytes > MAXIMUM_FILE_BYTES) throw new FileError('EFBIG', `files end at ${MAXIMUM_FILE_BYTES} bytes`);
}
