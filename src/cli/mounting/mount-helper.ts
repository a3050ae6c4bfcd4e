// What mount(8) runs for the type fuse.nmrfs: /sbin/mount.fuse.nmrfs, a script
// of three lines that `nmrfs install-mount-helper` writes. See mount(8),
// "external helpers", for its parameters and what its exit status says.
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { remount } from '../../fuse-client/mounting/mount-table.js';
import { hasCode } from '../../runtime/caught-errors.js';
import { COMMAND_FILE } from '../command-file.js';
import { CommandFailure, describeFailure } from '../failure.js';
import { optionsProblem, parseMountOptions } from './mount-options.js';
import { mountInBackground } from './mount-remote.js';
import { readMountRequest } from './mount-request.js';
import { mountPoint } from './mounts.js';

const NAME = 'mount.fuse.nmrfs';
const MARK = '# Made by "nmrfs install-mount-helper", which takes it away with --remove.';
/** Where a mount that names only the mediator looks for the secret and for what else is configured. */
const SYSTEM_CONFIG = '/etc/nmrfs.yaml';

/** Exit statuses of mount(8). */
const EXIT_INVOCATION = 1;
const EXIT_MOUNT_FAILED = 32;

export interface HelperCall {
  source: string;
  directory: string;
  options: string[];
  /** -f: everything but the mount itself. */
  fake: boolean;
  /** -s: unknown options are tolerated. */
  sloppy: boolean;
}

/** SOURCE DIR [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t TYPE], in any order; undefined for anything else. */
export function parseHelperCall(words: readonly string[]): HelperCall | undefined {
  const operands: string[] = [];
  const call = { options: [] as string[], fake: false, sloppy: false };
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? '';
    if (word === '-o' || word === '-N' || word === '-t') {
      index += 1;
      const value = words[index];
      if (value === undefined) return undefined;
      if (word === '-o') call.options.push(...value.split(','));
    } else if (/^-[sfnv]+$/.test(word)) {
      call.fake ||= word.includes('f');
      call.sloppy ||= word.includes('s');
    } else if (word.startsWith('-')) {
      return undefined;
    } else {
      operands.push(word);
    }
  }
  const [source, directory, ...more] = operands;
  return source === undefined || directory === undefined || more.length > 0
    ? undefined
    : { source, directory, ...call };
}

/** Mounts as mount(8) asks for it; returns when the file system can be used. Throws CommandFailure with mount(8)'s statuses. */
export async function runMountHelper(words: readonly string[]): Promise<void> {
  const call = parseHelperCall(words);
  if (call === undefined) {
    throw new CommandFailure(
      `mount-helper takes SOURCE DIR [-sfnv] [-o OPTIONS]; SOURCE is HOST:PORT or a configuration file`,
      EXIT_INVOCATION,
    );
  }
  const parsed = parseMountOptions(call.options);
  const { unknown, remount: again, kernelOptions, accessTimes, readOnly, configFile } = parsed;
  const problem = optionsProblem(call.sloppy ? { ...parsed, unknown: [] } : parsed);
  if (problem !== undefined) {
    throw new CommandFailure(problem, EXIT_INVOCATION);
  }
  const given = call.options.filter((option) => !unknown.includes(option));
  try {
    if (again) {
      const shown = [
        ...(accessTimes === undefined ? [] : [accessTimes]),
        ...(readOnly === undefined ? [] : [readOnly ? 'ro' : 'rw']),
      ];
      await remount(await mountPoint(call.directory), [...kernelOptions, ...shown]);
      return;
    }
    const isFile = call.source.includes('/');
    const request = await readMountRequest(call.directory, {
      config: isFile ? call.source : (configFile ?? SYSTEM_CONFIG),
      configIsOptional: !isFile && configFile === undefined,
      source: call.source,
      option: given,
      ...(isFile ? {} : { mediator: call.source }),
    });
    if (!call.fake) await mountInBackground(request);
  } catch (error) {
    throw new CommandFailure(describeFailure(error).text, EXIT_MOUNT_FAILED);
  }
}

/** Writes the script; answers what to tell. Throws when another program has its place. */
export async function installMountHelper(directory: string): Promise<string> {
  const file = join(directory, NAME);
  const there = await readOurs(file);
  const text = helperScript();
  if (there === text) {
    return `${file} is there already`;
  }
  const temporary = `${file}.${process.pid}`;
  try {
    await writeFile(temporary, text, { mode: 0o755, flag: 'wx' });
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw withAdvice(error);
  }
  return `${file}: written; "mount -t fuse.nmrfs HOST:PORT DIR" and lines of that type in /etc/fstab work now`;
}

/** Takes the script away; answers what to tell. Throws when it is another program's. */
export async function removeMountHelper(directory: string): Promise<string> {
  const file = join(directory, NAME);
  if ((await readOurs(file)) === undefined) {
    return `${file} is not there`;
  }
  try {
    await rm(file);
  } catch (error) {
    throw withAdvice(error);
  }
  return `${file}: removed`;
}

/** At boot there is no PATH to find Node by, hence both with their whole paths. */
function helperScript(): string {
  const [node, command] = [process.execPath, COMMAND_FILE].map((path) => `'${path.replaceAll("'", "'\\''")}'`);
  return [
    '#!/bin/sh',
    MARK,
    `if [ ! -x ${node} ] || [ ! -r ${command} ]; then`,
    `  echo "${NAME}: Node or nmrfs has moved; run nmrfs install-mount-helper again" >&2`,
    '  exit 2',
    'fi',
    `exec ${node} ${command} mount-helper "$@"`,
    '',
  ].join('\n');
}

async function readOurs(file: string): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  if (!text.includes(MARK)) {
    throw new CommandFailure(`${file}: not made by nmrfs; it stays as it is`);
  }
  return text;
}

function withAdvice(error: unknown): unknown {
  return hasCode(error, 'EACCES') || hasCode(error, 'EPERM')
    ? new CommandFailure(`${describeFailure(error).text}; this command needs root`)
    : error;
}
