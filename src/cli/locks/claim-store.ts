// The store of a server, for its process alone: two processes on one would
// destroy it.
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServerConfig } from '../../config.js';
import { CommandFailure } from '../failure.js';
import { LOCK_FILE, lockDirectory } from './directory-lock.js';

/** Takes the store until this process ends. Throws CommandFailure with who has it. */
export async function claimStore({ name, directory }: ServerConfig): Promise<void> {
  const result = await lockDirectory(directory, name);
  if (result.outcome === 'taken') {
    throw new CommandFailure(`${directory}: another process serves ${name} from there: ${result.holder}`);
  }
}

/** Removes all that is in a store that this process has claimed, but not its claim. */
export async function wipeClaimed({ directory }: ServerConfig): Promise<void> {
  const names = (await readdir(directory)).filter((name) => name !== LOCK_FILE);
  await Promise.all(names.map((name) => rm(join(directory, name), { recursive: true })));
}
