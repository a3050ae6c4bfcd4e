// What a change costs just now: files made and removed again through one
// mount, while nothing else is done.
import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { processorMs } from '../bench/processes.js';

const PAIRS = 300;

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
