// The store of a server, for its process alone: two processes on one would
// destroy it.
import type { ServerConfig } from '../../config.js';
import { CommandFailure } from '../failure.js';
import { lockDirectory } from './directory-lock.js';

/** Takes the store until this process ends. Throws CommandFailure with who has it. */
export async function claimStore({ name, directory }: ServerConfig): Promise<void> {
  const result = await lockDirectory(directory, name);
  if (result.outcome === 'taken') {
    throw new CommandFailure(`${directory}: another process serves ${name} from there: ${result.holder}`);
  }
}
