// Where the processes of one configuration meet: sockets, logs, the
// supervisor's file, and the paths of files as people type them.
import { Buffer } from 'node:buffer';
import { join, relative, resolve } from 'node:path';
import type { Config } from '../config.js';

/** struct sockaddr_un has room for 108 bytes with the closing NUL. */
const MAXIMUM_SOCKET_PATH_BYTES = 107;

/** The Unix-domain socket of a server of this configuration; undefined when its path would be too long: TCP serves then. */
export function socketPath(config: Config, name: string): string | undefined {
  const path = join(config.runDirectory, `${name}.sock`);
  return Buffer.byteLength(path) <= MAXIMUM_SOCKET_PATH_BYTES ? path : undefined;
}

/** The same as an optional member of an options object. */
export function unixPathOption(config: Config, name: string): { unixPath?: string } {
  const unixPath = socketPath(config, name);
  return unixPath === undefined ? {} : { unixPath };
}

export function secretOption(config: Config): { secret?: string } {
  return config.secret === undefined ? {} : { secret: config.secret };
}

export function supervisorFile(config: Config): string {
  return join(config.runDirectory, 'supervisor.json');
}

export function logDirectory(config: Config): string {
  return join(config.runDirectory, 'logs');
}

/**
 * A path within the file system, as people type it: /a.txt, a.txt, or the path of the file below the mount point.
 */
export function innerPath(config: Config, text: string): string {
  const below = relative(config.mount.directory, resolve(text));
  if (below !== '..' && !below.startsWith('../')) {
    return `/${below}`;
  }
  return resolve('/', text);
}
