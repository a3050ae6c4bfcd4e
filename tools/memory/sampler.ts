// What memory the processes of a cluster have, as the system counts it.
import type { Cluster } from '../../test/support/cluster.js';
import { type Memory, memoryOf, processesOf } from '../bench/processes.js';
import { median } from '../bench/table.js';

/** By the name of the process. */
export type MinuteOfMemory = ReadonlyMap<string, Memory>;

export class MemorySampler {
  #samples = new Map<string, Memory[]>();

  readonly #pids: ReadonlyMap<string, number>;

  private constructor(pids: ReadonlyMap<string, number>) {
    this.#pids = pids;
  }

  /** All processes that were started with the cluster's configuration file. */
  static async of({ configFile }: Cluster): Promise<MemorySampler> {
    return new MemorySampler(await processesOf(configFile));
  }

  pidOf(name: string): number {
    const pid = this.#pids.get(name);
    if (pid === undefined) throw new Error(`no process of ${name}`);
    return pid;
  }

  async sample(): Promise<void> {
    for (const [name, pid] of this.#pids) {
      this.#samples.set(name, [...(this.#samples.get(name) ?? []), await memoryOf(pid)]);
    }
  }

  /** Medians of what was sampled since the last call. */
  take(): MinuteOfMemory {
    const samples = this.#samples;
    this.#samples = new Map();
    return new Map(
      [...samples].map(([name, all]) => [
        name,
        {
          anonymousKib: median(all.map(({ anonymousKib }) => anonymousKib)),
          filesKib: median(all.map(({ filesKib }) => filesKib)),
        },
      ]),
    );
  }
}
