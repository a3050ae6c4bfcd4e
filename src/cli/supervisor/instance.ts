// At most one supervisor per run directory, and what a supervisor that was
// killed has left behind.
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import type { Config } from '../../config.js';
import { hasCode } from '../config-file.js';
import { type DirectoryLock, lockDirectory } from '../directory-lock.js';
import { CommandFailure } from '../failure.js';
import { supervisorFile } from '../paths.js';

/** What a supervisor tells about itself in its file, readable by its own user only. */
export interface SupervisorRecord {
  processId: number;
  /** Where its control service listens, and the secret that it asks for. */
  address: string;
  secret: string;
  mountDirectory: string;
  children: ProcessIdentity[];
}

/** A process id together with its start, since ids are used again. */
export interface ProcessIdentity {
  name: string;
  processId: number;
  startTicks: string;
}

/**
 * Takes the run directory for this process, or says who has it. Throws CommandFailure.
 */
export async function lockInstance(config: Config): Promise<DirectoryLock> {
  await makeRunDirectory(config);
  const lock = await lockDirectory(config.runDirectory);
  if (lock === undefined) {
    const record = await readRecord(config);
    const who = record === undefined ? '' : ` (process ${record.processId})`;
    throw new CommandFailure(`already running from ${config.runDirectory}${who}; "nmrfs down" stops it`);
  }
  return lock;
}

/** Whether a supervisor has the run directory. */
export async function isLocked(config: Config): Promise<boolean> {
  const lock = await lockDirectory(config.runDirectory);
  await lock?.release();
  return lock === undefined;
}

/** The folder of sockets and logs; the sockets in it answer whoever can reach them. */
export async function makeRunDirectory(config: Config): Promise<void> {
  await mkdir(config.runDirectory, { recursive: true });
  await chmod(config.runDirectory, 0o700);
}

export function newSecret(): string {
  return randomBytes(24).toString('hex');
}

/** The record of the supervisor that runs here, or that ended without removing it. */
export async function readRecord(config: Config): Promise<SupervisorRecord | undefined> {
  try {
    return JSON.parse(await readFile(supervisorFile(config), 'utf8')) as SupervisorRecord;
  } catch (error) {
    if (hasCode(error, 'ENOENT') || error instanceof SyntaxError) {
      return undefined;
    }
    throw error;
  }
}

export async function writeRecord(config: Config, record: SupervisorRecord): Promise<void> {
  const temporary = `${supervisorFile(config)}.new`;
  await writeFile(temporary, JSON.stringify(record, null, 2), { mode: 0o600 });
  await rename(temporary, supervisorFile(config));
}

export async function removeRecord(config: Config): Promise<void> {
  await rm(supervisorFile(config), { force: true });
}

/** The identity of a process that runs now; undefined when there is none with that id. */
export async function identify(name: string, processId: number): Promise<ProcessIdentity | undefined> {
  try {
    const text = await readFile(`/proc/${processId}/stat`, 'utf8');
    // Field 22, counted behind the command's name, which may hold spaces and parentheses itself.
    const startTicks = text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
    return { name, processId, startTicks };
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ESRCH')) {
      return undefined;
    }
    throw error;
  }
}

/**
 * Waits until the servers of a supervisor that was killed have stopped by themselves, and kills those that have not
 * within the deadline. Answers the names of those that were killed.
 */
export async function waitForLeftovers(record: SupervisorRecord, deadlineMs: number): Promise<string[]> {
  const end = performance.now() + deadlineMs;
  let left = await stillRunning(record.children);
  while (left.length > 0 && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    left = await stillRunning(left);
  }
  for (const { processId } of left) {
    process.kill(processId, 'SIGKILL');
  }
  return left.map(({ name }) => name);
}

async function stillRunning(children: readonly ProcessIdentity[]): Promise<ProcessIdentity[]> {
  const running: ProcessIdentity[] = [];
  for (const child of children) {
    const now = await identify(child.name, child.processId);
    if (now?.startTicks === child.startTicks) {
      running.push(child);
    }
  }
  return running;
}
