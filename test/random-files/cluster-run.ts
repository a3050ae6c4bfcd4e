// Random operations on the mount of a cluster of their own, with faults of its
// data servers where they are asked for. At the end all files are compared
// again without caches, and after a remount; and all replicas must agree.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SeededRandom } from '../simulation/world/seeded-random.js';
import { Cluster, type ClusterOptions, run, until } from '../support/cluster.js';
import { Faults } from './faults.js';
import { RandomFiles } from './random-files.js';
import { type Shape, shapeOf } from './shapes.js';

/** Short, so that a server that hangs is soon done without. */
const DEADLINE_MS = 1000;
/** Keeps the end of the largest file off the border of a block. */
const BEYOND_LAST_BLOCK_BYTES = 777;
/** With two mounts. */
const OPERATIONS_PER_VISIT = 25;

export interface ClusterRunOptions {
  seed: number;
  /** Of each worker. 0: until `isOver` says so. */
  operations: number;
  files: number;
  /** How many work at a time, each on files of its own. A seed decides what each does, not how they take turns. */
  workers: number;
  faults: boolean;
  /** With 2, every worker goes to the other mount now and then, with all its files closed. */
  mounts: number;
  isOver?: () => boolean;
  /** Called before each operation of the first worker. */
  beforeStep?: (number: number, cluster: Cluster) => Promise<void>;
  onLine?: (line: string) => void;
  /** Called with a cluster's folder when the run has failed; it is left there then. */
  onFailure?: (folder: string) => void;
}

/** Answers how many operations ran. Throws an error that tells how to repeat the run. */
export async function runOnCluster(options: ClusterRunOptions): Promise<number> {
  const clusterRun = new ClusterRun(
    options,
    await Cluster.start(clusterOptions(shapeOf(options.seed), options.mounts)),
  );
  let failed = true;
  try {
    const operations = await clusterRun.run();
    failed = false;
    return operations;
  } finally {
    await clusterRun.end(failed);
  }
}

class ClusterRun {
  readonly #shape: Shape;
  readonly #faults: Faults;
  readonly #workers: RandomFiles[] = [];
  #mountPoints: string[];
  /** The first; all workers stop then. */
  #failure: unknown;

  readonly #options: ClusterRunOptions;
  #cluster: Cluster;

  constructor(options: ClusterRunOptions, cluster: Cluster) {
    this.#options = options;
    this.#cluster = cluster;
    const { seed, onLine = () => undefined } = options;
    this.#shape = shapeOf(seed);
    this.#mountPoints = [cluster.mountPoint];
    // Not of the operations' own source: these are the same with and without faults.
    this.#faults = new Faults(new SeededRandom(seed ^ 0xfa17), cluster, this.#shape, onLine);
  }

  async run(): Promise<number> {
    if (this.#options.mounts > 1) await this.#mountAgain();
    await Promise.allSettled(Array.from({ length: this.#options.workers }, (_, worker) => this.#work(worker)));
    if (this.#failure !== undefined) throw this.#failure;
    await this.#told(null, () => this.#faults.heal());
    await this.#compareAll();
    await run('bash', ['--norc', '-c', 'echo 3 > /proc/sys/vm/drop_caches'], '/');
    await this.#compareAll();
    await this.#unmountSecond();
    await this.#cluster.stop();
    this.#cluster = await Cluster.resume(this.#cluster.folder);
    for (const [worker, randomFiles] of this.#workers.entries()) await randomFiles.moveTo(this.#directory(worker, 0));
    await this.#compareAll();
    await this.#told(null, () => this.#untilReplicasAgree());
    return this.#workers.reduce((sum, { operations }) => sum + operations, 0);
  }

  /** The folder stays when the run has failed and somebody wants it. */
  async end(failed: boolean): Promise<void> {
    await this.#faults.end();
    await Promise.all(this.#workers.map((randomFiles) => randomFiles.end()));
    await this.#unmountSecond();
    if (failed && this.#options.onFailure !== undefined) {
      await this.#cluster.stop();
      this.#options.onFailure(this.#cluster.folder);
    } else {
      await this.#cluster.destroy();
    }
  }

  async #work(worker: number): Promise<void> {
    const { seed, files, operations, isOver, onLine } = this.#options;
    const { blockSizeBytes, fileBlocks } = this.#shape;
    const directory = this.#directory(worker, 0);
    const randomFiles = new RandomFiles({
      seed: seed + worker * 0x10000,
      files,
      directory,
      blockSizeBytes,
      maximumBytes: fileBlocks * blockSizeBytes + BEYOND_LAST_BLOCK_BYTES,
      direct: true,
      ...(onLine === undefined ? {} : { onLine: (line) => onLine(`worker ${worker}: ${line}`) }),
      beforeStep: async (number) => {
        if (worker > 0) return;
        const names = [...randomFiles.model.names.keys()].map((name) => join(this.#folder(worker), name));
        if (this.#options.faults) await this.#faults.before(number, names);
        await this.#options.beforeStep?.(number, this.#cluster);
      },
    });
    this.#workers[worker] = randomFiles;
    await this.#told(worker, async () => {
      const goesOn = () => operations === 0 || randomFiles.operations < operations;
      while (goesOn() && !isOver?.() && this.#failure === undefined) {
        await randomFiles.step();
        if (this.#mountPoints.length > 1 && randomFiles.operations % OPERATIONS_PER_VISIT === 0) {
          await randomFiles.compareAll();
          await randomFiles.moveTo(this.#directory(worker, randomFiles.operations / OPERATIONS_PER_VISIT));
        }
      }
    });
  }

  async #compareAll(): Promise<void> {
    for (const [worker, randomFiles] of this.#workers.entries()) {
      await this.#told(worker, () => randomFiles.compareAll());
    }
  }

  /**
   * On every block of every file. After faults a server may hold more: what it had stored of a write that was begun anew
   * when it was killed, until a scrub finds it ten minutes later.
   */
  async #untilReplicasAgree(): Promise<void> {
    if (!this.#options.faults) {
      const servers = Array.from({ length: this.#shape.servers }, (_, index) => `data${index + 1}`);
      await this.#cluster.untilEqual(...servers);
      return;
    }
    await until('a scrub without dissent', async () => {
      const found = JSON.parse(await this.#cluster.must('scrub', '--json')) as { dissents: number; unreadable: number };
      return found.dissents + found.unreadable === 0;
    });
  }

  /** Says with whatever goes wrong how to repeat it. */
  async #told(worker: number | null, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const operations = Math.max(...this.#workers.map((randomFiles) => randomFiles.operations));
      const who = worker === null || this.#options.workers === 1 ? '' : `, worker ${worker}`;
      const again = command({ ...this.#options, operations });
      this.#failure ??= new Error(`seed ${this.#options.seed}${who}, ${message}\nagain: ${again}`, { cause: error });
      throw this.#failure;
    }
  }

  /** What is closed on one mount is seen on the other: at once, where the kernel does not trust its names. */
  async #mountAgain(): Promise<void> {
    const second = join(this.#cluster.folder, 'second');
    await mkdir(second);
    await this.#cluster.must('mount', second, '-o', 'attribute_timeout=0');
    this.#mountPoints.push(second);
  }

  async #unmountSecond(): Promise<void> {
    for (const second of this.#mountPoints.splice(1)) {
      const { status } = await this.#cluster.command('umount', second);
      if (status !== 0) await run('umount', ['-l', second], '/');
    }
  }

  #directory(worker: number, visit: number): string {
    const mountPoint = this.#mountPoints[visit % this.#mountPoints.length] ?? this.#cluster.mountPoint;
    return join(mountPoint, this.#folder(worker));
  }

  #folder(worker: number): string {
    return `w${worker}`;
  }
}

/** The command line that repeats a run. */
function command({ seed, operations, files, workers, mounts, faults }: ClusterRunOptions): string {
  const words = [
    '--seed',
    seed,
    '--operations',
    operations,
    '--files',
    files,
    '--workers',
    workers,
    '--mounts',
    mounts,
  ];
  return `npm run fsx -- ${words.join(' ')}${faults ? ' --faults' : ''}`;
}

function clusterOptions(shape: Shape, mounts: number): ClusterOptions {
  const { servers, readQuorum, writeQuorum, onWriteQuorumLost, audit, blockSizeBytes } = shape;
  const { maximumDirtyMebibytes } = shape;
  const attributeTimeoutMs = mounts > 1 ? 0 : shape.attributeTimeoutMs;
  const extraConfig = [
    `onWriteQuorumLost: ${onWriteQuorumLost}`,
    `audit: ${audit}`,
    `blockSize: ${blockSizeBytes}`,
    `deadlineMs: ${DEADLINE_MS}`,
  ].join('\n');
  return { servers, readQuorum, writeQuorum, attributeTimeoutMs, maximumDirtyMebibytes, extraConfig };
}
