// Mounting and unmounting by util-linux's programs, and what the kernel's table
// says about a mount. Never touches the mount itself: this process serves it,
// and would wait for itself.
import { Buffer } from 'node:buffer';
import { closeSync, openSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { errorFields } from '../../runtime/caught-errors.js';
import type { Log } from '../../runtime/log.js';
import type { AccessTimesMode } from '../mount-settings.js';
import { mountAsUser, unmountAsUser } from './fusermount.js';
import { runProgram } from './programs.js';

/** The type that df and /proc/mounts show; by the part before the dot the kernel knows that it is FUSE. */
const FILE_SYSTEM_TYPE = 'fuse.nmrfs';
/**
 * Read-ahead of four full requests: data servers work on some while others are on their way. With two, a cold sequential read
 * took a tenth longer; the default of 128 KiB doubles its time; with eight, what is read falls out of the processor's cache.
 */
const READ_AHEAD_KIB = 4096;

export interface MountFlags {
  readOnly: boolean;
  allowOther: boolean;
  accessTimes: AccessTimesMode;
  /** What df and /proc/mounts show in the first column. */
  source: string;
  /** Further options that the kernel itself obeys for every file system, such as noexec. */
  kernelOptions: readonly string[];
}

/**
 * Mounts at `directory`, as root by mount(8), else by fusermount3. Resolves with the descriptor of the device, which
 * belongs to the caller. Rejects with what mount(8) or fusermount3 said.
 */
export async function attach(directory: string, flags: MountFlags): Promise<number> {
  const { source, allowOther, readOnly, accessTimes, kernelOptions } = flags;
  const options = ['default_permissions', ...kernelOptions];
  // For /proc/mounts only: the kernel sets no access times for FUSE.
  if (accessTimes === 'noatime') options.push('noatime');
  if (allowOther) options.push('allow_other');
  if (readOnly) options.push('ro');
  if (!isRoot()) return mountAsUser(directory, { type: FILE_SYSTEM_TYPE, source, options });
  const descriptor = openSync('/dev/fuse', 'r+');
  try {
    options.unshift('fd=3', 'rootmode=40000', 'user_id=0', 'group_id=0');
    const command = ['-i', '-t', FILE_SYSTEM_TYPE, '-o', options.join(','), source, directory];
    await runProgram('mount', command, { descriptors: [descriptor] });
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/**
 * Unmounts, also while programs use the mount: its name is gone afterwards, and what they have open answers ENOTCONN as soon
 * as the caller closes the device. Resolves when the directory is no longer this mount, whoever unmounted it.
 */
export async function detach(directory: string, log: Log): Promise<void> {
  try {
    await unmount(directory, 'unless-used');
    return;
  } catch (error) {
    if ((await findMount(directory)) === undefined) return;
    log.warn('mount.busy', { directory, ...errorFields(error) });
  }
  try {
    await unmount(directory, 'by-force');
  } catch {
    if ((await findMount(directory)) !== undefined) await unmount(directory, 'lazily');
  }
}

/**
 * unless-used: refused while somebody uses it. by-force: ends the connection too, so that nothing waits for it any more,
 * which only root can. lazily: takes away the name in any case. Rejects with what umount(8) or fusermount3 said.
 */
export async function unmount(directory: string, how: 'unless-used' | 'by-force' | 'lazily'): Promise<void> {
  if (!isRoot()) {
    await unmountAsUser(directory, how !== 'unless-used');
    return;
  }
  const parameters = { 'unless-used': [], 'by-force': ['-f'], lazily: ['-l'] }[how];
  await runProgram('umount', ['-i', ...parameters, directory]);
}

/** Gives a mount other options: ro, rw and those that the kernel obeys for every file system. Only root can. */
export async function remount(directory: string, options: readonly string[]): Promise<void> {
  await runProgram('mount', ['-i', '-o', ['remount', ...options].join(','), directory]);
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
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

/** For large sequential reads. Without it the mount works too, only slower. */
export async function raiseReadAhead(directory: string, log: Log): Promise<void> {
  try {
    const device = await findMount(directory);
    if (device !== undefined) await writeFile(`/sys/class/bdi/${device}/read_ahead_kb`, String(READ_AHEAD_KIB));
  } catch (error) {
    log.debug('mount.read-ahead', errorFields(error));
  }
}
