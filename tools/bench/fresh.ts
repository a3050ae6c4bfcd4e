// A fresh nmrfs with default settings in a temporary folder, for benchmarks.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const COMMAND = fileURLToPath(new URL('../../bundle/cli/main.js', import.meta.url));

export interface FreshSystem {
  mountPoint: string;
  /** Stops all servers and removes the folder. */
  stop(): Promise<void>;
}

export async function startFresh(): Promise<FreshSystem> {
  const folder = await mkdtemp(join(tmpdir(), 'nmrfs-bench-'));
  await promisify(execFile)(process.execPath, [COMMAND, 'init', folder]);
  const configFile = join(folder, 'nmrfs.yaml');
  await writeFile(configFile, await onFreePorts(await readFile(configFile, 'utf8')));
  const system = spawn(process.execPath, [COMMAND, 'up', '--config', configFile], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  await new Promise<void>((resolve, reject) => {
    system.stdout.on('data', (chunk) => {
      printed += String(chunk);
      if (printed.includes('ready')) resolve();
    });
    system.once('exit', (status) => reject(new Error(`nmrfs up ended with ${status} before it was ready`)));
  });
  return {
    mountPoint: join(folder, 'mnt'),
    async stop() {
      const ended = once(system, 'exit');
      system.kill('SIGINT');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The same configuration on ports that nobody uses: a system of the user's own may be running on the usual ones. */
async function onFreePorts(config: string): Promise<string> {
  const addresses = [...config.matchAll(/127\.0\.0\.1:\d+/g)];
  const servers = addresses.map(() => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return config.replace(/127\.0\.0\.1:\d+/g, () => `127.0.0.1:${ports.shift()}`);
}
