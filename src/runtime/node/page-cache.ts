// Whether the system's page cache holds a part of a file: reads it, and looks at
// whether the kernel counts that as a read from the medium.
import { Buffer } from 'node:buffer';
import * as fs from 'node:fs';

const ONE_BYTE = Buffer.alloc(1);

/** The descriptor of /proc/thread-self/io, see proc(5); undefined until it is opened, null where there is no such file. */
let accounts: number | null | undefined;
const accountText = Buffer.alloc(512);

/** Whether the byte at `position` comes from the system's cache, or nobody can say. It is in the cache afterwards. Blocks. */
export function isCached(descriptor: number, position: number): boolean {
  const fetchedBytes = fetchedByThisThread();
  fs.readSync(descriptor, ONE_BYTE, 0, 1, position);
  return fetchedByThisThread() === fetchedBytes;
}

/** Bytes that this thread's blocking reads have asked the medium for until now; 0 for ever where the system does not count. */
function fetchedByThisThread(): number {
  if (accounts === undefined) accounts = openAccounts();
  if (accounts === null) return 0;
  const lengthBytes = fs.readSync(accounts, accountText, 0, accountText.length, 0);
  return Number(/^read_bytes: (\d+)$/m.exec(accountText.toString('latin1', 0, lengthBytes))?.[1] ?? 0);
}

function openAccounts(): number | null {
  try {
    return fs.openSync('/proc/thread-self/io', 'r');
  } catch {
    // A kernel without: everything counts as cached.
    return null;
  }
}
