// The namespace as a state machine: the same commands on the same state give
// the same state and the same answers, wherever they are applied.
import { Buffer } from 'node:buffer';
import { ROOT_INODE } from '../../protocol/services/files.js';
import type { Command, CommandName, Commands } from '../../protocol/services/metadata.js';
import { Draft } from '../state/draft.js';
import { CLUSTER_KEY, COUNTERS_KEY, inodeKey } from '../state/keys.js';
import { encodeCounters, encodeInode } from '../state/rows.js';
import type { Tables } from '../state/tables.js';
import { removexattr, setattr, setxattr } from './attributes.js';
import { commit } from './commit.js';
import { forgetResults } from './forget-results.js';
import { FIRST_COOKIE } from './limits.js';
import { link, make, makeUnnamed } from './make.js';
import { collected, purge } from './orphans.js';
import { rename } from './rename.js';
import { allocate, caughtUp, registerServer, retireVersions } from './servers.js';
import { rmdir, unlink } from './unlink.js';

type Handlers = {
  [K in CommandName]: (draft: Draft, request: Commands[K]['request']) => Commands[K]['result'];
};

const HANDLERS: Handlers = {
  make,
  makeUnnamed,
  link,
  unlink,
  rmdir,
  rename,
  setattr,
  commit,
  setxattr,
  removexattr,
  purge,
  allocate,
  retireVersions,
  collected,
  registerServer,
  caughtUp,
  // What is known of the request stands in namespace/once.ts.
  abandon: () => ({ isDone: false }),
  forgetResults,
};

/**
 * Applies one command, within a transaction of the caller's that takes everything back when this throws (FileError: the
 * command can't be carried out). Time and identifiers come from the command and the state only.
 */
export function apply<K extends CommandName>(
  tables: Tables,
  command: Extract<Command, { name: K }>,
): Commands[K]['result'] {
  const draft = new Draft(tables, command.timeNs);
  const handler: Handlers[K] = HANDLERS[command.name as K];
  const result = handler(draft, command.request);
  draft.save();
  return result;
}

/** The first state of a cluster: an empty root. Within a transaction. */
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
