// npm start: from a fresh clone to a mounted file system. Installs and builds
// what is needed, writes a configuration if there is none, and is `nmrfs up`
// from then on, with the same arguments.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { build, install, root, run } from './prepare.mjs';

const command = join(root, 'dist', 'bundle', 'cli', 'main.js');
const parameters = process.argv.slice(2);
const configured = parameters.some((parameter) => parameter.startsWith('--config'));

if (!install() || !(await build())) {
  process.exitCode = 1;
} else if (
  !configured &&
  !existsSync('nmrfs.yaml') &&
  !run(process.execPath, [command, 'init'], { cwd: process.cwd() })
) {
  process.exitCode = 1;
} else {
  process.argv = [process.execPath, command, 'up', ...parameters];
  await import(command);
}
