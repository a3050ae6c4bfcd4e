// How long one server of a stopped cluster takes until it serves.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Cluster } from '../../../test/support/cluster.js';
import { dropCaches } from '../../bench/caches.js';

const COMMAND = fileURLToPath(new URL('../../../bundle/cli/main.js', import.meta.url));
/** What a server logs once it serves. */
const READY = '"server.ready"';

/**
 * Seconds from the start of its process, with cold caches; the server is stopped again in order.
 * @param ending rebooted: a data server distrusts the index of another boot, and reads its whole log
 */
export async function timeStart(
  { folder, configFile }: Cluster,
  kind: 'data' | 'meta',
  id: string,
  ending: 'orderly' | 'rebooted',
): Promise<number> {
  // Without it an index is as untrusted as one of another boot.
  if (ending === 'rebooted') await rm(join(folder, 'data', id, 'index.json'));
  dropCaches();
  const startMs = performance.now();
  const server = spawn(process.execPath, [COMMAND, 'serve', kind, '--id', id, '--config', configFile], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(server, 'exit');
  let printed = '';
  try {
    await new Promise<void>((resolve, reject) => {
      server.stdout.on('data', (chunk) => {
        printed += String(chunk);
        if (printed.includes(READY)) resolve();
      });
      server.once('exit', (status) => reject(new Error(`${id} ended with ${status}: ${printed}`)));
    });
    return (performance.now() - startMs) / 1000;
  } finally {
    server.kill('SIGTERM');
    await ended;
  }
}
