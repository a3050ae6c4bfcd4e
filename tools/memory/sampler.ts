// What memory the processes of a cluster have, as the system counts it.
import { readdir, readFile } from 'node:fs/promises';
import type { Cluster } from '../../test/support/cluster.js';
import { median } from '../bench/table.js';

export interface Memory {
  anonymousKib: number;
  /** Pages of files that are mapped: programs, libraries, LMDB. The system can take them away at any time. */
  filesKib: number;
}

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
    const found: [string, number][] = [];
    for (const entry of await readdir('/proc')) {
      if (!/^\d+$/.test(entry)) continue;
      const words = (await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '')).split('\0');
      const name = words.includes(configFile) ? nameOf(words) : undefined;
      if (name !== undefined) found.push([name, Number(entry)]);
    }
    return new MemorySampler(new Map(found.sort(([a], [b]) => rank(a).localeCompare(rank(b)))));
  }

  pidOf(name: string): number {
    const pid = this.#pids.get(name);
    if (pid === undefined) throw new Error(`no process of ${name}`);
    return pid;
  }

  async sample(): Promise<void> {
    for (const [name, pid] of this.#pids) {
      const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
      const figure = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN);
      const memory = { anonymousKib: figure('RssAnon'), filesKib: figure('RssFile') + figure('RssShmem') };
      this.#samples.set(name, [...(this.#samples.get(name) ?? []), memory]);
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

/** By the words of its command line. */
function nameOf(words: readonly string[]): string | undefined {
  if (words.includes('up')) return 'supervisor';
  if (words.includes('mount') && words.includes('--foreground')) return 'mount';
  const serve = words.indexOf('serve');
  if (serve < 0) return undefined;
  const id = words.indexOf('--id');
  return words[serve + 1] === 'mediator' ? 'mediator' : words[id + 1];
}

const ORDER = ['mediator', 'mount', 'meta', 'data', 'supervisor'];

function rank(name: string): string {
  return `${ORDER.findIndex((each) => name.startsWith(each))} ${name}`;
}
