// One process at a time has a folder: a supervisor its run directory, a server
// its store. The lock lives with the folder, so that it holds whatever name the
// folder is reached by and whatever namespaces the processes are in; the kernel
// drops it with the process, however that ends, so that it can't be stale.
//
// It is flock's, on two things: a file in the folder that only the folder's
// owner can open, since whoever can open a file can lock it; and the folder
// itself where nobody else can open it either, since files get removed.
import { spawn } from 'node:child_process';
import { closeSync, constants, fstatSync, openSync, type Stats, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hasCode } from '../../runtime/caught-errors.js';
import { CommandFailure } from '../failure.js';
import { describeHolder, mayRun, readHolder, writeHolder } from './lock-holder.js';

/** What is in the folder; its content says who has the lock. It stays when the lock goes. */
export const LOCK_FILE = 'nmrfs.lock';
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
const OTHERS = 0o077;
/** Number that the child process has the descriptor under. */
const CHILD_DESCRIPTOR = 3;
/** A process that is just ending, or one that only looks, is gone in a moment. */
const ATTEMPTS = 10;
const PAUSE_MS = 50;

export interface DirectoryLock {
  release(): void;
}

export type LockOutcome =
  | { outcome: 'locked'; lock: DirectoryLock }
  /** `holder` says which process has it, for people. */
  | { outcome: 'taken'; holder: string };

/** Takes the folder, which is made if need be. `name` is what this process calls itself to others who want it. */
export async function lockDirectory(directory: string, name: string): Promise<LockOutcome> {
  await makePrivate(directory);
  for (let attempt = 1; ; attempt += 1) {
    const descriptors = await tryToLock(directory, 'exclusive');
    if (descriptors !== undefined) {
      if (descriptors.file !== undefined) {
        await writeHolder(descriptors.file, name);
      }
      return { outcome: 'locked', lock: { release: () => close(descriptors) } };
    }
    const holder = await readHolder(join(directory, LOCK_FILE));
    if (attempt === ATTEMPTS || (holder !== undefined && (await mayRun(holder)))) {
      return { outcome: 'taken', holder: await describeHolder(holder, directory) };
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** Whether a process has the folder. Makes the lock's file where it is missing. */
export async function isDirectoryLocked(directory: string): Promise<boolean> {
  try {
    const descriptors = await tryToLock(directory, 'shared');
    if (descriptors !== undefined) {
      close(descriptors);
    }
    return descriptors === undefined;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) {
      return false;
    }
    throw error;
  }
}

interface Descriptors {
  folder: number;
  /** undefined where none can be made, and the folder's lock is enough. */
  file: number | undefined;
}

function close({ folder, file }: Descriptors): void {
  closeSync(folder);
  if (file !== undefined) {
    closeSync(file);
  }
}

async function makePrivate(directory: string): Promise<void> {
  await mkdir(dirname(directory), { recursive: true });
  try {
    await mkdir(directory, { mode: FOLDER_MODE });
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) {
      throw error;
    }
  }
}

/** undefined when another process has the folder. */
async function tryToLock(directory: string, kind: 'exclusive' | 'shared'): Promise<Descriptors | undefined> {
  // Plain descriptors: a FileHandle that nobody refers to is closed some day, and its lock is gone. Node opens all with
  // O_CLOEXEC, so that no later child inherits them.
  const folder = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  const descriptors: Descriptors = { folder, file: undefined };
  try {
    const isPrivate = (fstatSync(folder).mode & OTHERS) === 0;
    const folderLock = isPrivate ? await flock(folder, kind) : 'impossible';
    if (folderLock === 'taken') {
      close(descriptors);
      return undefined;
    }
    descriptors.file = openFile(join(directory, LOCK_FILE), folderLock === 'locked');
    const fileLock = descriptors.file === undefined ? folderLock : await flock(descriptors.file, kind);
    if (fileLock === 'impossible') {
      throw new CommandFailure(`${directory}: can't be locked: its file system refuses flock(2)`);
    }
    if (fileLock === 'locked' && isStillThere(directory, descriptors)) {
      return descriptors;
    }
  } catch (error) {
    close(descriptors);
    throw error;
  }
  close(descriptors);
  return undefined;
}

/** @param isOptional answers undefined, instead of throwing, where the disk takes no new file and none is there */
function openFile(path: string, isOptional: boolean): number | undefined {
  try {
    return openSync(path, constants.O_RDWR | constants.O_CREAT, FILE_MODE);
  } catch (error) {
    const isReadOnly = hasCode(error, 'EROFS');
    if (isReadOnly && statSync(path, { throwIfNoEntry: false }) !== undefined) {
      return openSync(path, constants.O_RDONLY);
    }
    // A full or read-only disk can still be read from: the folder's lock is enough there.
    if (isOptional && (isReadOnly || hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT'))) {
      return undefined;
    }
    throw error;
  }
}

/** What was locked may have been removed, and made anew by somebody else, before it was locked. */
function isStillThere(directory: string, { folder, file }: Descriptors): boolean {
  const isSame = (descriptor: number, path: string): boolean => {
    const [locked, there]: (Stats | undefined)[] = [fstatSync(descriptor), statSync(path, { throwIfNoEntry: false })];
    return locked?.ino === there?.ino && locked?.dev === there?.dev;
  };
  return isSame(folder, directory) && (file === undefined || isSame(file, join(directory, LOCK_FILE)));
}

/**
 * Node has no flock. The lock belongs to the open file description, which the program flock shares with this process: it
 * stays when that program ends, until this process closes its descriptor.
 */
function flock(descriptor: number, kind: 'exclusive' | 'shared'): Promise<'locked' | 'taken' | 'impossible'> {
  return new Promise((resolve, reject) => {
    const child = spawn('flock', ['-n', kind === 'exclusive' ? '-x' : '-s', String(CHILD_DESCRIPTOR)], {
      stdio: ['ignore', 'ignore', 'ignore', descriptor],
    });
    child.once('error', (error) =>
      reject(
        hasCode(error, 'ENOENT')
          ? new CommandFailure('the program flock is missing; it is part of util-linux, and of busybox')
          : error,
      ),
    );
    child.once('exit', (status) => {
      switch (status) {
        case 0:
          resolve('locked');
          return;
        case 1:
          resolve('taken');
          return;
        default:
          resolve('impossible');
      }
    });
  });
}
