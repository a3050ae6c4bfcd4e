// What processor time the servers of a cluster have spent, by kind, and when they rest.
import { type Memory, memoryOf, processesOf, processorMs } from '../bench/processes.js';
import { type ProcessorMs, rounded, totalOf } from './figures.js';

const LOOK_MS = 200;
/** Servers rest that have together worked no longer than this between two looks: timers, heartbeats. */
const RESTING_MS = 30;
/** Removed versions wait for a second before they are collected (DELAY_MS of src/mediator/upkeep/garbage.ts): this is longer. */
const RESTED_LOOKS = 7;
/** Upkeep that goes on for longer than this belongs to no job. */
const MOST_MS = 8_000;

export class Servers {
  readonly #pids: ReadonlyMap<string, number>;

  private constructor(pids: ReadonlyMap<string, number>) {
    this.#pids = pids;
  }

  static async of(configFile: string): Promise<Servers> {
    return new Servers(await processesOf(configFile));
  }

  async spent(): Promise<ProcessorMs> {
    const spent: ProcessorMs = { mediator: 0, metaservers: 0, dataservers: 0 };
    for (const [name, pid] of this.#pids) {
      const kind = kindOf(name);
      if (kind !== undefined) spent[kind] = (spent[kind] ?? 0) + (await processorMs(pid));
    }
    return spent;
  }

  /**
   * Waits until what was left to do in the background is done: audits, garbage, the index.
   * @returns what had been spent at the first look at rest; later ones only see heartbeats
   */
  async untilResting(): Promise<ProcessorMs> {
    const endMs = performance.now() + MOST_MS;
    let spent = await this.spent();
    let before = totalOf(spent);
    for (let rested = 0; rested < RESTED_LOOKS && performance.now() < endMs; ) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      const seen = await this.spent();
      const now = totalOf(seen);
      const isRest = now - before <= RESTING_MS;
      if (!isRest || rested === 0) spent = seen;
      rested = isRest ? rested + 1 : 0;
      before = now;
    }
    return spent;
  }

  async memory(name: string): Promise<Memory> {
    const pid = this.#pids.get(name);
    if (pid === undefined) throw new Error(`no process of ${name}`);
    return memoryOf(pid);
  }
}

function kindOf(name: string): keyof ProcessorMs | undefined {
  if (name.startsWith('data')) return 'dataservers';
  if (name.startsWith('meta')) return 'metaservers';
  if (name.startsWith('mount')) return 'mounts';
  return name === 'supervisor' ? undefined : 'mediator';
}

/** What each of so many operations took between two looks. */
export function spentEach(before: ProcessorMs, after: ProcessorMs, operations: number): ProcessorMs {
  const each = (kind: keyof ProcessorMs) => rounded(((after[kind] ?? 0) - (before[kind] ?? 0)) / operations);
  return {
    mediator: each('mediator'),
    ...(after.mounts === undefined ? {} : { mounts: each('mounts') }),
    ...{ metaservers: each('metaservers'), dataservers: each('dataservers') },
  };
}
