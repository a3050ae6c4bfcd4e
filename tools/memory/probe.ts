// What a change costs just now: files made and removed again through one
// mount, while nothing else is done.
import { open, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';

const PAIRS = 300;
/** Of /proc/PID/stat: USER_HZ is 100 on all systems that Node runs on. */
const TICK_MS = 10;

export interface Probe {
  /** Of one file that is made and removed. */
  wallMs: number;
  /** Of that, what the mediator's process has worked. */
  mediatorMs: number;
}

export async function probe(folder: string, mediatorPid: number): Promise<Probe> {
  const startMs = performance.now();
  const workedMs = await processorMs(mediatorPid);
  for (let number = 0; number < PAIRS; number++) {
    const path = join(folder, `probe-${number}`);
    await (await open(path, 'wx')).close();
    await unlink(path);
  }
  const ofMediatorMs = (await processorMs(mediatorPid)) - workedMs;
  return { wallMs: (performance.now() - startMs) / PAIRS, mediatorMs: ofMediatorMs / PAIRS };
}

async function processorMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // Behind the program's name, which may contain anything: utime and stime are fields 14 and 15 of proc(5).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}
