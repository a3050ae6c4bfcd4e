// `nmrfs up --detach`: the same supervisor in the background; this process
// waits for its ready line and leaves.
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../../config.js';
import { COMMAND_FILE } from '../command-file.js';
import { CommandFailure } from '../failure.js';
import { logDirectory } from '../paths.js';
import type { UpRequest } from './foreground.js';

/** What main.ts puts before a failure. */
const PREFIX = 'nmrfs: ';

/** Resolves when the file system is mounted; throws CommandFailure with what the supervisor said when it ended. */
export async function detach(config: Config, { mount, binding }: UpRequest): Promise<void> {
  mkdirSync(logDirectory(config), { recursive: true });
  const outputFile = join(logDirectory(config), 'up.out');
  const output = openSync(outputFile, 'w', 0o640);
  const parameters = [
    COMMAND_FILE,
    'up',
    '--config',
    config.file,
    ...(mount === undefined ? [] : ['--mount', mount]),
    ...(binding === undefined ? [] : ['--binding', binding]),
  ];
  const child = spawn(process.execPath, parameters, { detached: true, stdio: ['ignore', output, output, 'ipc'] });
  closeSync(output);
  const text = await new Promise<string>((resolve, reject) => {
    child.once('message', (message: unknown) => {
      resolve(typeof message === 'object' && message !== null && 'text' in message ? String(message.text) : 'ready');
    });
    child.once('error', reject);
    child.once('exit', () => {
      reject(new CommandFailure(lastWords(readFileSync(outputFile, 'utf8')) || 'nmrfs up ended before it was ready'));
    });
  });
  process.stdout.write(`${text}\n`);
  child.removeAllListeners('exit');
  child.disconnect();
  child.unref();
}

/** What the command said of its failure: from its last line that names it on, or the last line of all. */
function lastWords(output: string): string {
  const lines = output.trimEnd().split('\n');
  const first = lines.findLastIndex((line) => line.startsWith(PREFIX));
  return lines.slice(first).join('\n').replace(PREFIX, '');
}
