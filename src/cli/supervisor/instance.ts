// At most one supervisor per run directory, and what a supervisor that was
// killed has left behind.
import { createHash, randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Config } from '../../config.js';
import { hasCode } from '../config-file.js';
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

export interface InstanceLock {
  release(): Promise<void>;
}

/**
 * Takes the run directory for this process, or says who has it. The lock is an abstract socket: the kernel drops it
 * with the process, however that ends, so that it can't be stale.
 */
export async function lockInstance(config: Config): Promise<InstanceLock> {
  await mkdir(config.runDirectory, { recursive: true });
  // The sockets in it answer whoever can reach them.
  await chmod(config.runDirectory, 0o700);
  const lock = await tryLock(config);
  if (lock === undefined) {
    const record = await readRecord(config);
    const who = record === undefined ? '' : ` (process ${record.processId})`;
    throw new CommandFailure(`already running from ${config.runDirectory}${who}; "nmrfs down" stops it`);
  }
  return lock;
}

/** Whether a supervisor has the run directory. */
export async function isLocked(config: Config): Promise<boolean> {
  const lock = await tryLock(config);
  await lock?.release();
  return lock === undefined;
}

async function tryLock(config: Config): Promise<InstanceLock | undefined> {
  const directory = await realpath(config.runDirectory).catch(() => config.runDirectory);
  const name = createHash('sha256').update(directory).digest('hex').slice(0, 32);
  const server = createServer((socket) => socket.destroy());
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ path: `\0nmrfs-supervisor-${name}` }, resolve);
    });
  } catch (error) {
    if (hasCode(error, 'EADDRINUSE')) {
      return undefined;
    }
    throw error;
  }
  server.unref();
  return { release: () => new Promise((resolve) => server.close(() => resolve())) };
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
