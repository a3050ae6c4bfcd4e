// A cluster with a second mount, a process of its own: it outlives the mediator.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Cluster, run } from './cluster.js';

export class SecondMount {
  private constructor(
    readonly cluster: Cluster,
    /** Its mount point. */
    readonly folder: string,
  ) {}

  /** By default what programs see is what the servers have, not what the kernel remembers. */
  static async start({ attributeTimeoutMs = 1 } = {}): Promise<SecondMount> {
    const cluster = await Cluster.start({ servers: 3, attributeTimeoutMs });
    const second = new SecondMount(cluster, join(cluster.folder, 'second'));
    try {
      await mkdir(second.folder);
      await cluster.must('mount', second.folder);
    } catch (error) {
      await second.destroy();
      throw error;
    }
    return second;
  }

  /** Of the process that serves it. */
  async pid(): Promise<number> {
    const { stdout } = await run('pgrep', ['-f', `main.js mount ${this.folder} --foreground`], '/');
    const pid = Number(stdout.trim().split('\n')[0]);
    if (!(pid > 0)) throw new Error(`no process serves ${this.folder}`);
    return pid;
  }

  async destroy(): Promise<void> {
    await run('umount', ['-l', this.folder], '/');
    await this.cluster.destroy();
  }
}
