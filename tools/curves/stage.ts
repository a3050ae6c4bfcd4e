// Fresh clusters and measuring programs for a curve, all of which end with it, whatever happens.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Cluster, type ClusterOptions, run } from '../../test/support/cluster.js';
import { Servers } from './processor.js';
import { Programs } from './programs/programs.js';
import { Services } from './services.js';
import type { Point } from './turns.js';

export class Stage {
  readonly #clusters: Cluster[] = [];
  readonly #mountPoints: string[] = [];
  readonly #programs: Programs[] = [];
  readonly #services: Services[] = [];

  /** Runs `use` with a stage, and leaves nothing behind. */
  static async with<T>(use: (stage: Stage) => Promise<T>): Promise<T> {
    const stage = new Stage();
    try {
      return await use(stage);
    } finally {
      await stage.#end();
    }
  }

  async cluster(options: ClusterOptions): Promise<Cluster> {
    const cluster = await Cluster.start(options);
    this.#clusters.push(cluster);
    return cluster;
  }

  /** What becomes of a stopped cluster when it is started again. */
  async resume(stopped: Cluster): Promise<Cluster> {
    const cluster = await Cluster.resume(stopped.folder);
    this.#clusters.splice(this.#clusters.indexOf(stopped), 1, cluster);
    return cluster;
  }

  /** A further mount of a cluster, in a process of its own. */
  async mount(cluster: Cluster, name: string): Promise<string> {
    const mountPoint = join(cluster.folder, name);
    await mkdir(mountPoint);
    await cluster.must('mount', mountPoint);
    this.#mountPoints.push(mountPoint);
    return mountPoint;
  }

  programs(count: number): Programs {
    const programs = new Programs(count);
    this.#programs.push(programs);
    return programs;
  }

  async services({ configFile }: Cluster): Promise<Services> {
    const services = await Services.connect(configFile);
    this.#services.push(services);
    return services;
  }

  /** A point with a cluster of its own, on which one program works. */
  async point(x: number, options: ClusterOptions): Promise<Point> {
    return this.pointOf(x, await this.cluster(options));
  }

  async pointOf(x: number, { mountPoint, configFile }: Cluster): Promise<Point> {
    return {
      x,
      mountPoints: [mountPoint],
      servers: await Servers.of(configFile),
      programs: this.programs(1),
      atOnce: 1,
    };
  }

  async #end(): Promise<void> {
    const ends = [
      ...this.#services.map((services) => services.close()),
      ...this.#programs.map((programs) => programs.end()),
    ];
    const ended = await Promise.allSettled(ends);
    for (const mountPoint of this.#mountPoints) await run('umount', ['-l', mountPoint], '/');
    const destroyed = await Promise.allSettled(this.#clusters.map((cluster) => cluster.destroy()));
    for (const outcome of [...ended, ...destroyed]) if (outcome.status === 'rejected') throw outcome.reason;
  }
}
