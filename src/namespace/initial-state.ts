// The state of a new cluster.
import { Buffer } from 'node:buffer';
import { ROOT_INODE } from '../protocol/services/files.js';
import { FIRST_COOKIE } from './limits.js';
import { encodeCounters } from './state/counters.js';
import { encodeInode } from './state/inode-row.js';
import { CLUSTER_KEY, COUNTERS_KEY, inodeKey } from './state/keys.js';
import type { Tables } from './state/tables.js';

/** Puts an empty root directory and fresh counters. Only within a transaction. */
export function initialise(
  tables: Tables,
  clusterId: string,
  timeNs: bigint,
  { blockSizeBytes, uid, gid }: { blockSizeBytes: number; uid: number; gid: number },
): void {
  const { view } = tables;
  view.put(CLUSTER_KEY, Buffer.from(clusterId, 'utf8'));
  const root = {
    inode: ROOT_INODE,
    kind: 'directory',
    mode: 0o755,
    links: 2,
    uid,
    gid,
    sizeBytes: 0,
    allocatedBytes: 0,
    accessTimeNs: timeNs,
    modifyTimeNs: timeNs,
    changeTimeNs: timeNs,
    device: 0,
    blockSizeBytes,
    revision: 1,
    state: 'named',
    parent: ROOT_INODE,
    children: 0,
    nextCookie: FIRST_COOKIE,
    xattrs: 0,
    target: '',
  } as const;
  view.put(inodeKey(ROOT_INODE), encodeInode(root));
  const counters = {
    nextInode: ROOT_INODE + 1,
    nextVersion: 1,
    nextGarbage: 1,
    inodes: 1,
    blocks: 0,
    bytes: 0,
    garbage: 0,
    missed: 0,
    retiredBelow: 0,
  };
  view.put(COUNTERS_KEY, encodeCounters(counters));
}
