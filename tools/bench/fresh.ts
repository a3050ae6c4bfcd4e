// A fresh nmrfs with default settings in a temporary folder, for benchmarks.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const COMMAND = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

export interface FreshSystem {
  mountPoint: string;
  /** Stops all servers and removes the folder. */
  stop(): Promise<void>;
}

export async function startFresh(): Promise<FreshSystem> {
  const folder = await mkdtemp(join(tmpdir(), 'nmrfs-bench-'));
  await promisify(execFile)(process.execPath, [COMMAND, 'init', folder]);
  const system = spawn(process.execPath, [COMMAND, 'up', '--config', join(folder, 'nmrfs.yaml')], {
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
