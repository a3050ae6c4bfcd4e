// Carries unsynced commands out again after a crash of the metaserver.
import { ServiceError, wasCarriedOut, wasUnanswered } from '../../protocol/errors.js';
import type { MetadataService } from '../../protocol/services/metadata.js';
import { messageOf } from '../../runtime/caught-errors.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Log } from '../../runtime/log.js';
import { inodeMadeBy, type UnsyncedCommands } from './unsynced-commands.js';

/**
 * Carries out again, in order, what a crash has taken; a command that survived the crash is known by its id.
 * @returns how many commands are there, and how many are lost. Rejects when the metaserver can't be asked: nothing is decided then
 */
export function replayUnsynced(
  unsynced: UnsyncedCommands,
  metadata: MetadataService,
  deadlineMs: number,
  log: Log,
): Promise<{ done: number; lost: number }> {
  return unsynced.replay(async (message, inode) => {
    const { name } = message;
    let reason: string;
    try {
      const result = await metadata.execute({ ...message, durable: false, again: true }, { deadlineMs });
      if (inodeMadeBy(name, result) === inode) return true;
      reason = 'the name stands for something else';
    } catch (error) {
      if (error instanceof ServiceError && wasUnanswered(error)) throw error;
      if (wasCarriedOut(error)) return true;
      rethrowProgramFault(error);
      reason = messageOf(error);
    }
    log.warn('metadata.not_repeated', { command: name, reason });
    return false;
  });
}
