// Which commands a full disk refuses: those that leave more behind than was
// there. Removals, and what servers and readers keep note of, go on with the room
// that is kept for them.
import type { Command, CommandName } from '../../protocol/services/metadata.js';

const GROWING: ReadonlySet<CommandName> = new Set(['make', 'makeUnnamed', 'link', 'rename', 'setxattr']);

export function takesRoom(command: Command): boolean {
  return command.name === 'commit' ? isWrite(command.request) : GROWING.has(command.name);
}

type Commit = Extract<Command, { name: 'commit' }>['request'];

/** Whether it brings blocks, other than the one or two at whose ends something is cut out. */
function isWrite({ changes, truncateTo, hole, minimumSizeBytes }: Commit): boolean {
  let fresh = 0;
  for (const { next } of changes) if (next !== null) fresh++;
  if (fresh === 0) return false;
  if (hole !== undefined) return fresh > 2;
  return truncateTo === null || minimumSizeBytes > truncateTo || fresh > 1;
}
