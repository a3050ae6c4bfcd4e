// At most one supervisor per run directory, and what a supervisor that was
// killed has left behind.
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import type { Config } from '../../config.js';
import { hasCode } from '../../runtime/caught-errors.js';
import { CommandFailure } from '../failure.js';
import { type DirectoryLock, isDirectoryLocked, lockDirectory } from '../locks/directory-lock.js';
import { identify, type ProcessIdentity } from '../locks/process-identity.js';
import { supervisorFile } from '../paths.js';

const ENDED_POLL_MS = 50;

/** What a supervisor tells about itself in its file, readable by its own user only. */
export interface SupervisorRecord {
  processId: number;
  /** Where its control service listens, and the secret that it asks for. */
  address: string;
  secret: string;
  mountDirectory: string;
  children: ProcessIdentity[];
}

/**
 * Takes the run directory for this process, or says who has it. Throws CommandFailure.
 */
export async function lockInstance(config: Config): Promise<DirectoryLock> {
  await makeRunDirectory(config);
  const result = await lockDirectory(config.runDirectory, 'nmrfs up');
  if (result.outcome === 'taken') {
    throw new CommandFailure(`already running from ${config.runDirectory} (${result.holder}); "nmrfs down" stops it`);
  }
  return result.lock;
}

/** Whether a supervisor has the run directory. */
export function isLocked(config: Config): Promise<boolean> {
  return isDirectoryLocked(config.runDirectory);
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

/**
 * Waits until the servers of a supervisor that was killed have stopped by themselves, and kills those that have not
 * within the deadline. Answers the names of those that were killed.
 */
export async function waitForLeftovers(record: SupervisorRecord, deadlineMs: number): Promise<string[]> {
  const left = await untilEnded(record.children, deadlineMs);
  for (const { processId } of left) {
    process.kill(processId, 'SIGKILL');
  }
  return left.map(({ name }) => name);
}

/** Resolves when all of them have ended, or with those that run on after the deadline. */
export async function untilEnded(children: readonly ProcessIdentity[], deadlineMs: number): Promise<ProcessIdentity[]> {
  const end = performance.now() + deadlineMs;
  let left = await stillRunning(children);
  while (left.length > 0 && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, ENDED_POLL_MS));
    left = await stillRunning(left);
  }
  return left;
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
