// One process at a time has a folder: a supervisor its run directory, a server
// its store. The lock is an abstract socket: the kernel drops it with the
// process, however that ends, so that it can't be stale.
import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { createServer } from 'node:net';
import { hasCode } from './config-file.js';

export interface DirectoryLock {
  release(): Promise<void>;
}

/** Takes the folder; undefined when another process has it. The lock does not keep this process alive. */
export async function lockDirectory(directory: string): Promise<DirectoryLock | undefined> {
  // A folder that is not there yet is made under the name that it was asked for.
  const real = await realpath(directory).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) {
      return directory;
    }
    throw error;
  });
  const name = createHash('sha256').update(real).digest('hex').slice(0, 32);
  const server = createServer((socket) => socket.destroy());
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ path: `\0nmrfs-${name}` }, resolve);
    });
  } catch (error) {
    if (hasCode(error, 'EADDRINUSE')) {
      return undefined;
    }
    throw error;
  }
  server.unref();
  return { release: () => new Promise((resolve) => server.close(() => resolve())) };
}
