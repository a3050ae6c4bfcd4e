// Where a mount in the background writes its log: a file per mount, in the run
// directory of its configuration, or where logs of this user belong.
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdir, realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, relative } from 'node:path';
import type { Config } from '../../config.js';
import { hasCode } from '../../runtime/caught-errors.js';
import { logDirectory } from '../paths.js';

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o640;
/** NAME_MAX is 255, and a log has a suffix. */
const MAXIMUM_NAME = 200;
/** Errors of a place that the mounting user can't write to; then the next one is tried. */
const NO_PLACE: readonly string[] = ['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT', 'ENOENT', 'ENOTDIR'];

/** The file's path, made if need be; undefined when there is no place for one, and the mount goes on without. */
export async function mountLogFile(config: Config, directory: string): Promise<string | undefined> {
  for (const folder of logFolders(config, process.getuid?.() ?? 0, process.env)) {
    const file = join(folder, logName(directory));
    try {
      await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
      if (await isBelow(directory, folder)) {
        continue;
      }
      closeSync(openSync(file, 'a', FILE_MODE));
      return file;
    } catch (error) {
      if (!NO_PLACE.some((code) => hasCode(error, code))) {
        throw error;
      }
    }
  }
  return undefined;
}

/** In the order of preference. A mount that names only its mediator has no run directory. */
export function logFolders(config: Config, userId: number, environment: NodeJS.ProcessEnv): string[] {
  const folders = existsSync(config.file) ? [logDirectory(config)] : [];
  const state = environment.XDG_STATE_HOME;
  if (state !== undefined && state !== '') {
    folders.push(join(state, 'nmrfs'));
  } else {
    folders.push(userId === 0 ? '/var/log/nmrfs' : join(homedir(), '.local', 'state', 'nmrfs'));
  }
  return folders;
}

/** No server's name has an @, so that no server's log is called so. */
export function logName(directory: string): string {
  const escaped = directory.slice(1).replaceAll('%', '%25').replaceAll('-', '%2D').replaceAll('/', '-');
  return `mount@${Buffer.byteLength(escaped) <= MAXIMUM_NAME ? escaped : digest(escaped)}.log`;
}

function digest(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 16);
}

/** A process that writes to a mount that it serves itself would wait for itself. */
export async function isBelow(directory: string, folder: string): Promise<boolean> {
  const way = relative(directory, await realpath(folder));
  return way !== '..' && !way.startsWith('../');
}
