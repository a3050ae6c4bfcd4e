// Which process a number means: numbers are used again, and each pid namespace
// has its own.
import { readFile, readlink } from 'node:fs/promises';
import { hasCode } from '../../runtime/caught-errors.js';

/** A process id together with its start, since ids are used again. */
export interface ProcessIdentity {
  name: string;
  processId: number;
  startTicks: string;
}

/** The identity of a process that runs now; undefined when there is none with that id. */
export async function identify(name: string, processId: number): Promise<ProcessIdentity | undefined> {
  const startTicks = await startOf(processId);
  return startTicks === undefined ? undefined : { name, processId, startTicks };
}

/** When a process that runs now was started, in the kernel's ticks; undefined when there is none. */
export async function startOf(processId: number | 'self'): Promise<string | undefined> {
  try {
    const text = await readFile(`/proc/${processId}/stat`, 'utf8');
    // Field 22, counted behind the command's name, which may hold spaces and parentheses itself.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ESRCH')) {
      return undefined;
    }
    throw error;
  }
}

/** The pid namespace of this process: only within it do its process ids mean anything. */
export function pidNamespace(): Promise<string> {
  return readlink('/proc/self/ns/pid');
}
