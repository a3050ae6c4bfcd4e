// Whether a program is being killed: the one case in which the outcome of its
// request does not matter any more.
import { readFile } from 'node:fs/promises';

const SIGKILL = 9;

/**
 * Whether the thread has SIGKILL pending, which the kernel also sets for every other signal that ends a program (see
 * proc_pid_status(5), SigPnd), or is gone. False where that can't be known.
 */
export async function isBeingKilled(threadId: number): Promise<boolean> {
  // The kernel itself, or a program of another namespace.
  if (threadId === 0) return false;
  try {
    return hasKillPending(await readFile(`/proc/${threadId}/status`, 'latin1'));
  } catch (error) {
    return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH');
  }
}

export function hasKillPending(status: string): boolean {
  const pending = /^SigPnd:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0';
  return (BigInt(`0x${pending}`) & (1n << BigInt(SIGKILL - 1))) !== 0n;
}
