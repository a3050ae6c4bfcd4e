// Programs run as a user without any rights, as tests about mounting need it.
// The tests themselves run as root.
import { chmodSync, statSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Context } from 'mocha';
import { type Outcome, run } from './cluster.js';
import { requirePrograms } from './programs.js';
import { requireFuse } from './require-fuse.js';

export const COMMAND = fileURLToPath(new URL('../../bundle/cli/main.js', import.meta.url));
/** nobody: fusermount3 wants a user that has a name. */
export const USER_ID = 65534;
const EVERYBODY_READS_AND_WRITES = 0o666;

/** Skips without fusermount3, with a reason; in CI that is a failure. */
export function requireFusermount(context: Context): void {
  requireFuse(context);
  requirePrograms(context, 'fusermount3');
}

/** Lets everybody open /dev/fuse, as udev does where it runs; answers how to take that back. Not for tests that run side by side. */
export function openDevice(): () => void {
  const before = statSync('/dev/fuse').mode & 0o777;
  chmodSync('/dev/fuse', EVERYBODY_READS_AND_WRITES);
  return () => chmodSync('/dev/fuse', before);
}

/** A folder of the user's own, with a subfolder of its own for each name. */
export async function userFolder(...names: string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'nmrfs-user-'));
  await chmod(folder, 0o755);
  await chown(folder, USER_ID, USER_ID);
  for (const name of names) {
    await mkdir(join(folder, name));
    await chown(join(folder, name), USER_ID, USER_ID);
  }
  return folder;
}

/** Runs a program as the user. */
export function runAsUser(directory: string, program: string, ...parameters: string[]): Promise<Outcome> {
  return runWith([], directory, program, parameters);
}

function runWith(rights: string[], directory: string, program: string, parameters: string[]): Promise<Outcome> {
  const identity = ['--reuid', String(USER_ID), '--regid', String(USER_ID), '--clear-groups', ...rights];
  return run('setpriv', [...identity, 'env', `HOME=${directory}`, program, ...parameters], directory);
}

/** A working copy may lie where only root can read; then the command may read more than its user, and nothing else. */
async function readingRights(): Promise<string[]> {
  const readable = (await runAsUser('/', 'test', '-r', COMMAND, '-a', '-x', process.execPath)).status === 0;
  return readable ? [] : ['--inh-caps', '+dac_read_search', '--ambient-caps', '+dac_read_search'];
}
let rights: Promise<string[]> | undefined;

/** A bash script as the user, given up after a while with status 124. Not even root can enter every folder of theirs. */
export function shellAsUser(directory: string, script: string): Promise<Outcome> {
  return runAsUser('/', 'timeout', '-k', '5', '40', 'bash', '--norc', '-c', `cd '${directory}' || exit\n${script}`);
}

/** The nmrfs command as the user. */
export async function nmrfsAsUser(directory: string, ...parameters: string[]): Promise<Outcome> {
  rights ??= readingRights();
  return runWith(await rights, directory, process.execPath, [COMMAND, ...parameters]);
}

/** The same, with no other program to be found. */
export async function nmrfsWithoutPrograms(directory: string, ...parameters: string[]): Promise<Outcome> {
  rights ??= readingRights();
  return runWith(await rights, directory, 'env', ['PATH=/nowhere', process.execPath, COMMAND, ...parameters]);
}
