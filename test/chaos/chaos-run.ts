// Chaos: a cluster on hosts of its own, programs on its mounts, and faults meanwhile. In the end everything is well, nothing has
// failed, nothing is lost, and all replicas agree.
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../src/runtime/caught-errors.js';
import { SeededRandom } from '../simulation/world/seeded-random.js';
import { ChangingProgram } from '../support/changing-program.js';
import { run, until } from '../support/cluster.js';
import { succeed } from '../support/programs.js';
import { ChaosFaults } from './chaos-faults.js';
import { HostCluster } from './host-cluster.js';
import { type RegisterReport, Registers } from './registers.js';
import { Workloads } from './workloads.js';

/** Events that tell of what must never happen. */
const WRONG_EVENTS = /"event":"(replica\.diverged|program\.fault)"/;

export interface ChaosOptions {
  seed: number;
  minutes: number;
  protocol: 'raft' | 'viewstamped';
  metaservers: number;
  /** Ends it early, in order. */
  isInterrupted?: () => boolean;
  onLine?: (line: string) => void;
  /** Called with the cluster's folder when something was wrong, before it is removed. */
  onFailure?: (folder: string) => Promise<void>;
}

export interface ChaosReport {
  problems: string[];
  faults: Readonly<Record<string, number>>;
  rounds: Readonly<Record<string, number>>;
  registers: Omit<RegisterReport, 'problems'>;
}

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { protocol, metaservers } = options;
  const problems: string[] = [];
  const startMs = performance.now();
  const onLine = (line: string) => options.onLine?.(`${((performance.now() - startMs) / 1000).toFixed(1)} s  ${line}`);
  const onProblem = (problem: string) => {
    problems.push(problem);
    onLine(`PROBLEM ${problem}`);
  };
  const parts = { metaservers, protocol, mediators: 2, dataservers: 5, clients: 2, onProblem };
  const cluster = await HostCluster.start(parts);
  onLine('all servers and mounts are there');
  try {
    return await new ChaosRun(cluster, { ...options, onLine }, problems).run();
  } catch (error) {
    onProblem(messageOf(error));
    throw error;
  } finally {
    try {
      if (problems.length > 0) await options.onFailure?.(cluster.folder);
    } finally {
      await cluster.destroy();
    }
  }
}

class ChaosRun {
  readonly #cluster: HostCluster;
  readonly #options: ChaosOptions;
  readonly #problems: string[];
  #endPrograms: (() => Promise<void>)[] = [];

  constructor(cluster: HostCluster, options: ChaosOptions, problems: string[]) {
    this.#cluster = cluster;
    this.#options = options;
    this.#problems = problems;
  }

  async run(): Promise<ChaosReport> {
    try {
      return await this.#run();
    } finally {
      for (const end of this.#endPrograms) await end();
    }
  }

  async #run(): Promise<ChaosReport> {
    const { seed, minutes, isInterrupted, onLine = () => {} } = this.#options;
    const cluster = this.#cluster;
    const mountPoints = cluster.clients.map((client) => cluster.mountPoint(client));
    const [first = '', last = ''] = mountPoints;
    for (const folder of ['registers', 'changes', 'programs']) await mkdir(join(first, folder));
    const plain = join(cluster.folder, 'plain');
    await mkdir(plain);

    const registers = new Registers(
      mountPoints.map((mountPoint) => join(mountPoint, 'registers')),
      seed,
    );
    const changing = new ChangingProgram(join(first, 'changes'));
    const workloads = await Workloads.start(join(last, 'programs'), plain, (problem) => onLine(`PROBLEM ${problem}`));
    this.#endPrograms = [() => registers.kill(), () => changing.kill(), () => workloads.finish()];

    const files = async () => (await contentRegisters(join(cluster.folder, 'client1', 'mnt', 'registers'))).slice(-4);
    const faults = new ChaosFaults(cluster, new SeededRandom(seed), files, onLine);
    const isBroken = () =>
      [this.#problems, workloads.problems].some(({ length }) => length > 0) || registers.isBroken || changing.isBroken;
    const endMs = performance.now() + minutes * 60_000;
    const striking = faults.run();
    this.#endPrograms.unshift(async () => {
      faults.end();
      await striking.catch(() => {});
    });
    await Promise.race([
      striking,
      until(
        'the end',
        async () => performance.now() > endMs || isInterrupted?.() === true || isBroken(),
        minutes * 60_000 + 10_000,
      ),
    ]);
    faults.end();
    await striking;
    await cluster.untilWell('all');
    onLine('the faults are over');

    await workloads.finish();
    const { problems: broken } = await changing.finish();
    const { problems: seen, ...report } = await registers.finish();
    this.#endPrograms = [];
    this.#problems.push(...workloads.problems, ...broken, ...seen);
    await this.#compare(first, last);
    return {
      problems: this.#problems,
      faults: Object.fromEntries([...faults.done].sort()),
      rounds: workloads.rounds,
      registers: report,
    };
  }

  /** All replicas agree, all mounts show the same, and no server has noticed that it was wrong. */
  async #compare(...mountPoints: string[]): Promise<void> {
    const cluster = this.#cluster;
    await until('a scrub without dissent', async () => {
      const found = JSON.parse(await cluster.must('scrub', '--json')) as { dissents: number; unreadable: number };
      if (found.unreadable > 0) throw new Error(`${found.unreadable} blocks are unreadable`);
      return found.dissents === 0;
    });
    await run('bash', ['--norc', '-c', 'echo 3 > /proc/sys/vm/drop_caches'], '/');
    const list = `find . -printf '%P %y %m %n %s %T@ %l\\n' | LC_ALL=C sort; find . -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum`;
    const [one, ...others] = await Promise.all(mountPoints.map((mountPoint) => succeed(list, mountPoint)));
    if (others.some((other) => other !== one)) this.#problems.push('the mounts show different files');
    for (const name of cluster.hosts.names) {
      const log = await readFile(cluster.log(name), 'utf8');
      this.#problems.push(...log.split('\n').filter((line) => WRONG_EVENTS.test(line)));
    }
  }
}

async function contentRegisters(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => name.startsWith('content-'));
  return names.sort().map((name) => `/registers/${name}`);
}
