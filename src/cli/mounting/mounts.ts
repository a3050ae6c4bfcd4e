// The mounts of this machine, as far as nmrfs has to do with them: finding
// ours, and clearing one whose server is gone.
import { execFile } from 'node:child_process';
import { readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { unmount } from '../../fuse-client/mounting/mount-table.js';
import { hasCode, messageOf } from '../../runtime/caught-errors.js';
import { CommandFailure } from '../failure.js';

const run = promisify(execFile);
/** A living file system answers the probe at once, a dead one fails at once, and a hung one does neither. */
const PROBE_DEADLINE_MS = 5000;

export interface MountEntry {
  directory: string;
  type: string;
  source: string;
}

/** The folder by the name that it has in the kernel's table. Nothing is asked of the file system that is mounted there. */
export async function mountPoint(directory: string): Promise<string> {
  const absolute = resolve(directory);
  // What is not there yet will be in its parent.
  return await realpath(absolute).catch(async () => {
    const parent = dirname(absolute);
    return join(await realpath(parent).catch(() => parent), basename(absolute));
  });
}

/** Throws CommandFailure, with what to do, when nothing can be mounted there. A dead mount counts as a folder. */
export async function requireFolder(directory: string): Promise<void> {
  let isFolder: boolean;
  try {
    isFolder = (await stat(directory)).isDirectory();
  } catch (error) {
    if (hasCode(error, 'ENOTCONN')) {
      return;
    }
    if (hasCode(error, 'ENOENT')) {
      const quoted = `'${directory.replaceAll("'", "'\\''")}'`;
      throw new CommandFailure(`${directory}: there is no such folder; make it first: mkdir -p ${quoted}`);
    }
    throw error;
  }
  if (!isFolder) {
    throw new CommandFailure(`${directory}: is no folder`);
  }
}

/** The mount at exactly that folder, the topmost if there are several. */
export async function findMount(directory: string): Promise<MountEntry | undefined> {
  const text = await readFile('/proc/self/mountinfo', 'utf8');
  return parseMountInfo(text)
    .filter((entry) => entry.directory === directory)
    .at(-1);
}

/** Lines of /proc/self/mountinfo, in the order of mounting. */
export function parseMountInfo(text: string): MountEntry[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const fields = line.split(' ');
      const separator = fields.indexOf('-', 6);
      return {
        directory: unescapeOctal(fields[4] ?? ''),
        type: fields[separator + 1] ?? '',
        source: unescapeOctal(fields[separator + 2] ?? ''),
      };
    });
}

/** The kernel writes space, tab, newline and backslash as octal numbers. */
function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

export function isOurs({ type, source }: MountEntry): boolean {
  return type.startsWith('fuse') && (type === 'fuse.nmrfs' || source.startsWith('nmrfs'));
}

/**
 * Makes a folder free to mount on: takes away what a killed nmrfs has left there. Throws when something else, or a
 * living nmrfs, is mounted. Answers whether there was something to clear.
 */
export async function clearDeadMount(directory: string): Promise<boolean> {
  const entry = await findMount(directory);
  if (entry === undefined) {
    return false;
  }
  if (!isOurs(entry)) {
    throw new CommandFailure(`${directory}: ${entry.source} (${entry.type}) is mounted there already`);
  }
  if (!(await clearIfDead(directory))) {
    throw new CommandFailure(
      `${directory}: a running nmrfs is mounted there already; "nmrfs umount ${directory}" ends it`,
    );
  }
  return true;
}

/** Takes away a mount of ours whose server is gone; leaves every other one alone. Answers whether there was one. */
export async function clearIfDead(directory: string): Promise<boolean> {
  const entry = await findMount(directory);
  if (entry === undefined || !isOurs(entry) || !(await isDead(directory))) {
    return false;
  }
  await unmount(directory, 'lazily');
  return true;
}

/** Whether no process serves the mount any more. Asked by a child process: one that hangs must not take ours along. */
async function isDead(directory: string): Promise<boolean> {
  try {
    await run('stat', ['-f', '--', directory], {
      env: { ...process.env, LC_ALL: 'C' },
      timeout: PROBE_DEADLINE_MS,
      killSignal: 'SIGKILL',
    });
    return false;
  } catch (error) {
    // Any other failure comes from somebody who answers, or who may still do so.
    return error instanceof Error && 'stderr' in error && String(error.stderr).includes('not connected');
  }
}

/** Takes away the mount of ours at that folder; one whose server is gone too. Throws when there is none, or with umount's own words. */
export async function unmountOurs(directory: string): Promise<void> {
  const entry = await findMount(directory);
  if (entry === undefined || !isOurs(entry)) {
    throw new CommandFailure(`${directory}: no nmrfs is mounted there`);
  }
  if (await clearIfDead(directory)) {
    return;
  }
  try {
    await unmount(directory, 'unless-used');
  } catch (error) {
    const words = messageOf(error);
    throw new CommandFailure(words.split('\n')[0] ?? `umount ${directory} failed`);
  }
}
