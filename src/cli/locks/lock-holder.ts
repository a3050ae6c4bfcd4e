// Which process has a lock, by what it has written into the lock's file, for
// messages only. An earlier process may have written it: the lock itself does not
// depend on it.
import { ftruncateSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import * as z from 'zod';
import { hasCode } from '../../runtime/caught-errors.js';
import { pidNamespace, startOf } from './process-identity.js';

/** Errors of a disk that takes no writes. The lock is held all the same; only its file does not say by whom. */
const UNWRITABLE: readonly string[] = ['ENOSPC', 'EDQUOT', 'EROFS', 'EBADF', 'EIO'];

const lockHolder = z.object({
  name: z.string(),
  processId: z.number(),
  startTicks: z.string(),
  pidNamespace: z.string(),
  host: z.string(),
  /** ISO 8601. */
  since: z.string(),
});

export type LockHolder = z.infer<typeof lockHolder>;

/** Says in the file that this process has the lock. */
export async function writeHolder(file: number, name: string): Promise<void> {
  const holder: LockHolder = {
    name,
    processId: process.pid,
    startTicks: (await startOf('self')) ?? '',
    pidNamespace: await pidNamespace(),
    host: hostname(),
    since: new Date().toISOString(),
  };
  try {
    // Over what is there: a full disk has room for that.
    ftruncateSync(file, writeSync(file, `${JSON.stringify(holder)}\n`, 0));
  } catch (error) {
    if (!UNWRITABLE.some((code) => hasCode(error, code))) {
      throw error;
    }
  }
}

/** undefined when nobody has said anything yet, somebody has removed the file, or something else stands there. */
export async function readHolder(path: string): Promise<LockHolder | undefined> {
  try {
    return lockHolder.safeParse(JSON.parse(await readFile(path, 'utf8'))).data;
  } catch (error) {
    if (hasCode(error, 'ENOENT') || error instanceof SyntaxError) {
      return undefined;
    }
    throw error;
  }
}

/** Whether that process may still be there: of other hosts and pid namespaces nobody here knows. */
export async function mayRun(holder: LockHolder): Promise<boolean> {
  if (holder.host !== hostname() || holder.pidNamespace !== (await pidNamespace())) {
    return true;
  }
  return (await startOf(holder.processId)) === holder.startTicks;
}

/** For people. `directory` is what is locked. */
export async function describeHolder(holder: LockHolder | undefined, directory: string): Promise<string> {
  if (holder === undefined || !(await mayRun(holder))) {
    return `one that has not said who it is; "fuser -v ${directory}" may tell`;
  }
  const { name, processId, host, since } = holder;
  const namespace = holder.pidNamespace === (await pidNamespace()) ? '' : ' of another pid namespace';
  return `${name}, process ${processId}${namespace} on host ${host}, since ${since}`;
}
