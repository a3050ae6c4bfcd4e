// Losses of what leads, and how long a program waits for each.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Cluster, until } from '../../test/support/cluster.js';
import { PythonProgram } from '../../test/support/python-program.js';

/** What is lost, and by which signal. */
export const LOSSES = {
  'metaserver-killed': { what: 'metaserver', signal: 'SIGKILL' },
  'metaserver-stopped': { what: 'metaserver', signal: 'SIGSTOP' },
  'mediator-killed': { what: 'mediator', signal: 'SIGKILL' },
  'mediator-stopped': { what: 'mediator', signal: 'SIGSTOP' },
} as const;

export type Loss = keyof typeof LOSSES;

export interface LossOptions {
  loss: Loss;
  times: number;
  protocol: 'raft' | 'viewstamped';
}

/** Longer than any pause should be. */
const STOPPED_MS = 5000;
const LOAD_BEFORE_MS = 1500;

/** Writes, syncs, renames and reads without end. Prints when each round began and ended, in nanoseconds. */
const PROGRAM = `
import os, sys, threading, time
folder = sys.argv[1]
stop = threading.Event()
def rounds():
    number = 0
    while not stop.is_set():
        began = time.monotonic_ns()
        own = os.path.join(folder, 'new')
        with open(own, 'w') as file:
            file.write(str(number) * 100)
            file.flush()
            os.fsync(file.fileno())
        os.rename(own, os.path.join(folder, 'file'))
        with open(os.path.join(folder, 'file')) as file: assert file.read() == str(number) * 100
        print(began, time.monotonic_ns(), flush=True)
        number += 1
working = threading.Thread(target=rounds)
working.start()
sys.stdin.read()
stop.set()
working.join()
`;

/** @returns for each time, the longest round since the loss, milliseconds. Throws when the program gets an error. */
export async function pausesOf({ loss, times, protocol }: LossOptions): Promise<number[]> {
  const { what, signal } = LOSSES[loss];
  const cluster = await Cluster.start({ servers: 5, metaservers: 3, mediators: 2, metadataProtocol: protocol });
  const folder = join(cluster.mountPoint, 'load');
  try {
    await mkdir(folder);
    const program = new PythonProgram(PROGRAM, folder);
    const pausesMs: number[] = [];
    for (let time = 0; time < times; time++) {
      const leader = await settled(cluster, what);
      await sleep(LOAD_BEFORE_MS);
      const pid = await cluster.pidOf(leader);
      program.mustGoOn();
      program.lines.length = 0;
      process.kill(pid, signal);
      await sleep(STOPPED_MS);
      if (signal === 'SIGSTOP') process.kill(pid, 'SIGCONT');
      await until('the next round', async () => {
        program.mustGoOn();
        return program.lines.length > 1;
      });
      pausesMs.push(Math.max(...program.lines.map(durationMs)));
    }
    await program.finish();
    return pausesMs;
  } finally {
    await cluster.destroy();
  }
}

/** The one that leads, once all others are there to take over. */
async function settled(cluster: Cluster, what: 'metaserver' | 'mediator'): Promise<string> {
  let leader = '';
  await until('all to be there', async () => {
    const { metaservers, mediators } = await cluster.status().catch(() => ({ metaservers: [], mediators: [] }));
    const leads = metaservers.find(({ isServing }) => isServing)?.name;
    const active = mediators.find(({ state }) => state === 'active')?.name;
    leader = (what === 'metaserver' ? leads : active) ?? '';
    const areWell = metaservers.every(({ role }) => role === 'leader' || role === 'follower');
    return leads !== undefined && active !== undefined && areWell && mediators.every(({ state }) => state !== 'down');
  });
  return leader;
}

function durationMs(line: string): number {
  const [began = 0, ended = 0] = line.split(' ').map(Number);
  return (ended - began) / 1e6;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
