// Which commands a full disk refuses: those after which more is stored than
// before. Removals and bookkeeping (of servers, access times …) go on with the
// room that is reserved for them.
import type { Command, CommandName } from '../protocol/services/metadata.js';

export const GROWING: ReadonlySet<CommandName> = new Set(['make', 'makeUnnamed', 'link', 'rename', 'setxattr']);

export function takesRoom(command: Command): boolean {
  return command.name === 'commit' ? isWrite(command.request) : GROWING.has(command.name);
}

type Commit = Extract<Command, { name: 'commit' }>['request'];

/** Whether a commit brings new blocks. The one or two at the ends of a hole, or at a cut, do not count. */
function isWrite({ changes, truncateTo, hole, minimumSizeBytes }: Commit): boolean {
  let fresh = 0;
  for (const { next } of changes) if (next !== null) fresh++;
  if (fresh === 0) return false;
  if (hole !== undefined) return fresh > 2;
  return truncateTo === null || minimumSizeBytes > truncateTo || fresh > 1;
}
