// The namespace as a state machine: the same commands on the same state give
// the same state and the same answers, wherever they are applied.
import type { Command, CommandName, Commands } from '../protocol/services/metadata.js';
import { removexattr, setattr, setxattr } from './attributes.js';
import { commit } from './commit.js';
import { forgetResults } from './forget-results.js';
import { collected } from './garbage.js';
import { link, make, makeUnnamed } from './make.js';
import { resign, takeOver } from './mediators.js';
import { addMetaserver, dropMetaserver } from './metaservers.js';
import { reserveInodes } from './new-inode.js';
import { purge } from './orphans.js';
import { rename } from './rename.js';
import { caughtUp, registerServer } from './servers.js';
import { Draft } from './state/draft.js';
import type { Tables } from './state/tables.js';
import { trim } from './trim.js';
import { rmdir, unlink } from './unlink.js';
import { allocate, retireVersions } from './versions.js';

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
  trim,
  setxattr,
  removexattr,
  purge,
  allocate,
  reserveInodes,
  retireVersions,
  collected,
  registerServer,
  caughtUp,
  takeOver,
  resign,
  addMetaserver,
  dropMetaserver,
  // Applied only when the command that it abandons was not: namespace/once.ts answers otherwise.
  abandon: () => ({ isDone: false }),
  forgetResults,
};

/**
 * Applies one command within the caller's transaction, which undoes everything when this throws (FileError: the command is
 * refused). Time and identifiers come from the command and the state only.
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
