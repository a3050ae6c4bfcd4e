// Runs the programs that mount and unmount.
import type { Buffer } from 'node:buffer';
import { spawn } from 'node:child_process';

/** Runs a program; its fd 3 and up are `descriptors`. Rejects with its complaint when it does not end with status 0. */
export async function runProgram(
  program: string,
  parameters: readonly string[],
  { descriptors = [], environment = {} }: { descriptors?: number[]; environment?: Record<string, string> } = {},
): Promise<void> {
  const child = spawn(program, parameters, {
    stdio: ['ignore', 'ignore', 'pipe', ...descriptors],
    env: { ...process.env, ...environment },
  });
  let complaint = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    complaint += chunk.toString('utf8');
  });
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, killedBy) => {
      if (status === 0) resolve();
      else reject(new Error(complaint.trim() || `${program} ended with ${killedBy ?? `status ${status}`}`));
    });
  });
}
