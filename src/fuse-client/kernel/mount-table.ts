// Mounting and unmounting by util-linux's programs, and what the kernel says
// about a mount. All of it without touching the mount itself: this process
// serves it, and would wait for itself.
import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import type { Log } from '../../runtime/log.js';

/** The type that df and /proc/mounts show; the part before the dot makes the kernel take FUSE. */
export const FILE_SYSTEM_TYPE = 'fuse.nmrfs';
const SOURCE_NAME = 'nmrfs';
/** Read-ahead of two full requests: one is under way while the other is taken. The default of 128 KiB halves sequential reading. */
const READ_AHEAD_KIB = 2048;

export interface MountFlags {
  readOnly: boolean;
  allowOther: boolean;
}

/** Attaches the device behind `descriptor` to `directory`. Rejects with what mount(8) said. */
export async function attach(descriptor: number, directory: string, flags: MountFlags): Promise<void> {
  const options = ['fd=3', 'rootmode=40000', 'user_id=0', 'group_id=0', 'default_permissions'];
  if (flags.allowOther) options.push('allow_other');
  if (flags.readOnly) options.push('ro');
  const command = ['-i', '-t', FILE_SYSTEM_TYPE, '-o', options.join(','), SOURCE_NAME, directory];
  await run('mount', command, [descriptor]);
}

/**
 * Takes the mount away. One that is in use is taken from its users: what they have open answers ENOTCONN afterwards.
 * Resolves when the directory is no longer this mount, whoever did it.
 */
export async function detach(directory: string, log: Log): Promise<void> {
  try {
    await run('umount', ['-i', directory]);
    return;
  } catch (error) {
    if ((await findMount(directory)) === undefined) return;
    log.warn('mount.busy', { directory, error: error instanceof Error ? error.message : String(error) });
  }
  // -f ends the connection, so that nothing waits for it any more; -l takes away the name in any case.
  try {
    await run('umount', ['-i', '-f', directory]);
  } catch {
    if ((await findMount(directory)) !== undefined) await run('umount', ['-i', '-l', directory]);
  }
}

/** The device number of the FUSE mount at `directory` as MAJOR:MINOR; undefined when there is none. */
export async function findMount(directory: string): Promise<string | undefined> {
  const table = await readFile('/proc/self/mountinfo', 'latin1');
  return parseMountTable(table, Buffer.from(directory, 'utf8').toString('latin1'));
}

/** See proc_pid_mountinfo(5). The last mount on a directory hides those before it. */
export function parseMountTable(table: string, directory: string): string | undefined {
  let found: string | undefined;
  for (const line of table.split('\n')) {
    const [, , device, , point, ...rest] = line.split(' ');
    if (device === undefined || point === undefined) continue;
    const path = point.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
    if (path !== directory) continue;
    const type = rest[rest.indexOf('-') + 1];
    found = type?.startsWith('fuse') === true ? device : undefined;
  }
  return found;
}

/** Large sequential reads; a mount without works as well, only slower. */
export async function raiseReadAhead(directory: string, log: Log): Promise<void> {
  try {
    const device = await findMount(directory);
    if (device !== undefined) await writeFile(`/sys/class/bdi/${device}/read_ahead_kb`, String(READ_AHEAD_KIB));
  } catch (error) {
    log.debug('mount.read-ahead', { error: error instanceof Error ? error.message : String(error) });
  }
}

/** Runs a program; its fd 3 and up are `descriptors`. Rejects with its complaint when it does not end with status 0. */
async function run(program: string, parameters: string[], descriptors: number[] = []): Promise<void> {
  const child = spawn(program, parameters, { stdio: ['ignore', 'ignore', 'pipe', ...descriptors] });
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
